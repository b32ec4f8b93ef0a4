"""Khmer names with the Latin spellings that offices write for them, the usual one first.

Rank stands for frequency: the head is what Cambodian registers are full of, the order in the tail is a guess.
Made for the generator alone; matching has no part in these tables and must not read them.
"""

FAMILY = """
សុខ SOK SOKH SUK|ជា CHEA CHIA|ចាន់ CHAN CHANN|កែវ KEO KEV KAEV|លី LY LI LEE
ហេង HENG HAENG|គឹម KIM KEM|ម៉ៅ MAO MAU|នួន NUON NOUN|ឈឹម CHHIM CHHEM CHIM
អ៊ុំ UM OUM|ប៉ែន PEN PAEN|ទេព TEP TEB|ស៊ឹម SIM SEM|ហ៊ុន HUN HOUN|សៅ SAO SAU
មាស MEAS MEAH|ប្រាក់ PRAK PRAC|ញ៉ែម NHEM NHAEM|ឈុន CHHUN CHUN|ឡុង LONG LUNG
តាន់ TAN TANN|លឹម LIM LEM|អ៊ុក OUK UK|ផាន់ PHAN PHANN|សំ SAM SOM|យឹម YIM YEM
វ៉ាន់ VAN VANN|ឆាយ CHHAY CHAY|ទូច TOUCH TUCH|សេង SENG SAENG|ឡាយ LAY LAI
កុយ KUY KOY KOUY|រស់ ROS RUOS|ថន THORN THAN|ព្រុំ PROM PRUM|នេត NET NETH|មុំ MOM MUM
ឃួន KHUON KHOUN|ឈួន CHHUON CHHOUN|សួន SUON SOUN|ហួត HUOT HOUT|ប៊ុន BUN BOUN
អេង ENG AENG|អ៊ិន IN INN|អឿន OEUN EUN OEURN|អ៊ុង UNG OUNG|ហ៊ឹម HIM HEM|កង KANG KORNG
គង់ KONG KUNG|ឃុន KHUN KHOUN|ខៀវ KHIEV KHEAV|ខាត់ KHAT KHATH|ឃឹម KHIM KHEM
ចេង CHENG CHAENG|ជួន CHUON CHOUN|ឈាង CHHEANG CHEANG|ឈិន CHHIN CHIN
ឈឿន CHHOEUN CHHOEURN|ជឹម CHOEM CHIM|ញ៉ាន់ NHAN NHANN|តឹក TEK TOEK|ទិត TITH TIT
ទឹម TIM TEM|ទាវ TEAV TIEV|នី NY NI|នាង NEANG NIENG|នង NORNG NONG|ប៉ុល POL PAUL
ប៉ាន់ PAN PANN|ប៉ុក POK PUK|ផុន PHON PHUN|ផល PHAL PHORL|ពៅ POV PEOU PAO
ពេជ្រ PICH PECH|ភួង PHUONG PHOUNG|ម៉ុក MOK MUK|ម៉ែន MEN MAEN|មុត MUTH MUT
មៀច MIECH MEACH|យន់ YUN YON|យ៉ាន់ YAN YANN|យូ YOU YU|រិទ្ធ RITH RITTH
លាង LEANG LIENG|លន់ LON LUN|វង់ VONG VUNG|វិត VIT VITH|សន SAN SORN|សឿន SOEUN SOEURN
ស៊ាង SEANG SIENG|ស៊ិន SIN SINN|សុន SON SUN|ហាក់ HAK HACK|ហុង HONG HUNG|ហៃ HAI HAY
អ៊ាង EANG IENG|អុល OL UL|ឯក EK AEK|ឱម OM AOM|ងួន NGUON NGOUN|ងិន NGIN NGEN
ង៉ែត NGET NGAET|ញឹក NHOEK NHEK|ដួង DUONG DOUNG|ដៀប DIEP DEAB|ដុំ DOM DUM|ឌី DY DI
ឌឿន DOEUN DOEURN|ថោង THONG THAONG|ទ្រី TRY TRI|ប្រាជ្ញ PRACH PRACHN|ភី PHY PHI
មាន MEAN MIEN|យស YOS YORS|រ៉ា RA RAH|រ៉េត RET RETH|រុន RUN RON|ស្រី SREY SREI
ស្វាយ SVAY SWAY|ហម HAM HORM|ហង្ស HANG HORNG|អាត់ AT ATH|ផេង PHENG PENG|ហាន HAN HANN
ឆេង CHHENG CHENG|ឆន CHHORN CHHAN|ឆុំ CHHUM CHHOM|ឃាង KHEANG KHIENG|ខែម KHEM KHAEM
កាន KAN KANN|កែម KEM KAEM|កោះ KOH KOS|ក្រូច KROUCH KROCH|ទុំ TOM TUM|ទួន TUON TOUN
ទន់ TUN TON|នុត NUTH NUT|នុប NOP NUB|នឹម NIM NEM|ប៊ុត BUTH BUT|បាន BAN BANN
បឿន BOEUN BOEURN|តាំង TANG TAING|តេង TENG TAENG|ជុំ CHUM CHOM|ជិន CHIN CHEN
ជីវ CHIV CHEEV|ជូ CHOU CHU|ឈាវ CHHEAV CHHIEV|ម៉ាត់ MAT MATH|សោះ SOS SAS|លេះ LES LEH
ស្លេះ SLES SLEH|យូសុះ YOUSOS YUSUH|ម៉ាន MAN MANN|ប៊ិន BIN BINN|ម៉ិន MIN MINN
សាន់ SAN SANN|សាំង SANG SAING|ឡេង LENG LAENG|ហាវ HAV HAO|ស៊ូ SOU SU|តូ TO TAU
ភន PHAN PHORN|ភឹម PHIM PHEM|ភោគ PHOK PHORK|ងន NGAN NGORN|ងី NGY NGI|យិន YIN YEN
វឿន VOEUN VOEURN|វន VORN VAN|រឿន ROEUN ROEURN|រ៉ន RORN RAN|លួន LUON LOUN
លាស់ LEAS LOAS|ជ្រា CHREA CHRIA|ទៀង TIENG TEANG|ទេស TES TESH|គុជ KUCH KUOCH
គា KEA KIA|កៀត KIET KEAT|កុសល KOSAL KOSOL|ខុន KHON KHUN|ខេង KHENG KHAENG
ឃាត KHEAT KHIET|ឈិត CHHIT CHHITH|ឈុំ CHHUM CHUM|ញាណ NHEAN NHEN|ញ៉ុញ NHONH NHONG
ណុប NOB NOP|ណៃ NAI NAY|ថៃ THAI THAY|ថាំង THANG THAING|ទង TORNG TONG
ធឿន THOEUN THOEURN|ធន THON THUN|ប៉ិច PICH PECH|ប៉ូ POU PO|ផូ PHOU PHO|ពូក POUK PUK
ពេញ PENH PEGN|ព្រំ PRUM PROM|ម៉ម MORM MAM|មួង MUONG MOUNG|យ៉ែម YEM YAEM
យ៉ុង YONG YUNG|រួស RUOS ROUS|សុត SOTH SUT
"""
"""Family names, by falling frequency: Cambodia has few, and a few dozen name most people."""

SINGLE = """
ដារ៉ា DARA DARAH|បុប្ផា BOPHA BOPPHA f|កល្យាណ KALYAN KALYANN f
ចិន្តា CHENDA CHINDA f|មករា MAKARA MEAKARA|កុសល KOSAL KOSOL m|វាសនា VEASNA VEASANA
រដ្ឋា RATHA ROTHA m|សុវណ្ណ SOVANN SOVAN SUVAN|សុភាព SOPHEAP SOPHEAB f
រតនា RATANA RATTANA ROTANA|វណ្ណា VANNA VANA|ចាន់ថា CHANTHA CHANNTHA
សុខា SOKHA SOKHAR|ពិសិដ្ឋ PISETH PISITH m|មុនី MONY MUNY|សារ៉ាត់ SARATH SARAT m
វិចិត្រ VICHET VICHITH m|រស្មី RASMEY REAKSMEY RAKSMEY|ផល្លា PHALLA PHALA
ធារី THEARY THEARI f|នារី NEARY NEARI f|មាលា MEALEA MALEA f|សំអាត SAMATH SAMART
សម្បត្តិ SAMBATH SAMBAT m|តារា TARA DARA|សុភា SOPHEA SOPHIA|ចរិយា CHARIYA CHAKRIYA f
ពុទ្ធី PUTHY PUTHI m|វិបុល VIBOL VIBAUL m|ភារុណ PHEARUN PHEAROM m|ណាវី NAVY NAVI f
សុជាតិ SOCHEAT SOCHEATH|រ៉ាវី RAVY RAVI|លក្ខិណា LEAKHENA LEAKENA f
សុគន្ធា SOKUNTHEA SOKUNTEA f|មករិទ្ធ MAKARITH MAKARIT m|ធីតា THIDA THYDA f
អមរា AMARA AMRA f|ពៅ POV PEOU|អូន OUN AUN|តូច TOUCH TAUCH|សាវឿន SAVOEUN SAVOEURN
ហុង HONG HUNG m|ហេង HENG HAENG m|លាភ LEAP LEAB|ជីវ័ន CHIVORN CHIVAN m
កក្កដា KAKADA KAKKADA|សីហា SEIHA SEYHA m|តុលា TOLA TULA|វិច្ឆិកា VICHEKA VICHHEKA
ធ្នូ THNU THNOU
"""
"""Given names that are one word; `f` or `m` where the name is mostly a woman's or a man's."""

FIRST = """
សុ SO SU|ចាន់ CHAN CHANN|ស្រី SREY SREI SRY f|វណ្ណ VANN VAN VORN|សុខ SOK SOKH
គឹម KIM KEM|ប៊ុន BUN BOUN m|សា SA SAR|សី SEI SEY|រ៉ា RA RAR|ពិ PI PY|វិ VI VY
ណា NA NAR|ម៉ា MA MAR|ហេង HENG HAENG|ឡៃ LAI LAY|ធា THEA TEA|រត្ន RATH ROTH RATT
ផល PHAL PHOL|ភ័ក្រ PHEAK PHAK|សុខុ SOKU SOKHU|ដា DA DAR|លី LY LI|មុនី MONY MUNY
សំ SAM SOM|ឈុន CHHUN CHUN|នី NY NI f|ហ៊ុយ HUY HOUY|ជីវ CHIV CHIVA|អេង ENG AENG
ទេព TEP TEB|កែវ KEO KEV|យូ YOU YU|សៀវ SIEV SEAV|មួយ MUOY MOUY f|គន្ធ KUN KUNTH
វាសនា VEASNA VEASANA|រដ្ឋ RATH ROTH m|វុទ្ធី VUTHY VUTHI m|ពេជ្រ PICH PECH
បញ្ញា PANHA PANHAR|ចេក CHEK CHEAK|តាំង TANG TAING
"""
"""First parts of given names of two parts."""

LAST = """
ភា PHEA PHIA|វណ្ណ VANN VAN VORN|ធា THEA TEA|រិទ្ធ RITH RIT m|ណា NA NAR|ដា DA DAR
លី LY LI|នី NY NI f|រី RY RI|ធី THY THI|ខា KHA KHAR|ភ័ក្រ PHEAK PHAK
ភាព PHEAP PHEAB f|ផល PHAL PHOL|ជាតិ CHEAT CHEATH|រ័ត្ន RATH ROTH RATT m
សិទ្ធ SETH SITH m|វុទ្ធ VUTH VUT m|មុំ MOM MUM f|គា KEA KIA|ហួរ HUOR HOUR
ហុង HONG HUNG|ឡុង LONG LUNG m|ឆៃ CHHAI CHHAY m|តា TA TAR|ម៉ាលី MALY MALI f
ចិត្ត CHET CHETH|លក្ខណ៍ LEAK LEAKH|សាន SAN SANN|សាយ SAY SAI|នាង NEANG NIENG f
មាស MEAS MEAH|លីន LIN LYN f|រស់ ROS RUOS|យ៉ា YA YAR|ពេជ្រ PICH PECH|កុល KOL KUL
ធឿន THOEUN THOEURN|វ៉ន VORN VAN|ថុល THOL THUL|ឈីវ CHHIV CHIV|ម៉េង MENG MAENG
អ៊ាង EANG IENG|គីម KIM KEM|ស្រស់ SROS SRORS f|បូរ BOR BAU m
ចំរើន CHAMROEUN CHOMROEUN m|សុផល SOPHAL SOPHOL|ណែត NET NETH|ឃាង KHEANG KHIENG
នុច NUCH NUTCH f
"""
"""Last parts of given names of two parts."""

LOOK_ALIKE = (
    # What is stored differently and looks the same: typed in another order, or with a letter's twin.
    ("\u17be", "\u17c1\u17b8"),  # OE as E and II
    ("\u17c4", "\u17c1\u17b6"),  # OO as E and AA
    ("\u17bb\u17c6", "\u17c6\u17bb"),  # U and nikahit the other way round
    ("\u17b6\u17c6", "\u17c6\u17b6"),  # AA and nikahit the other way round
    ("\u17d2\u178a", "\u17d2\u178f"),  # subscript DA and TA look the same
    ("\u17ca\u17bb", "\u17bb\u17ca"),  # register shifter after the vowel
    ("\u17c9\u17b6", "\u17b6\u17c9"),
    ("\u17ca\u17b7", "\u17b7\u17ca"),
    ("\u17ca\u17b9", "\u17b9\u17ca"),
    ("\u17c9\u17c2", "\u17c2\u17c9"),
)

KHMER_SLIPS = "រ-ល ន-ណ ល-ឡ ត-ដ ទ-ត ព-ប ភ-ផ ឈ-ឆ គ-ក ី-ិ ូ-ុ ឹ-ិ ់- ៉- ៊- ្ញ-ញ"
"""What a clerk hears or hits instead: letters of like sound, signs left out."""

LOOSE = "PH-P CHH-CH TH-T OEU-EU OU-U EA-IA IE-EA EY-EI UO-OU KH-K NN-N Y-I AN-ANN A-AR I-EE V-W"
"""Habits of romanising that differ from office to office."""

KEYBOARD = ("QWERTYUIOP", "ASDFGHJKL", "ZXCVBNM")
"""A slip hits a key that lies beside the right one."""
