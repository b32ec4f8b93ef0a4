"""A new register's gazetteer is consistent, and says where the package's data were not."""

import csv
import io

from shared.reference.files import parse_gazetteer
from shared.reference.gazetteer_export import export_gazetteer


def test_the_export_is_a_gazetteer_that_the_services_read() -> None:
    raw, _ = export_gazetteer()
    gazetteer = parse_gazetteer(raw)
    lengths = [len(code) for code in gazetteer.names]
    assert [lengths.count(digits) for digits in (2, 4, 6)] == [25, 210, 1662]
    assert 14_400 < lengths.count(8) < 14_576
    assert gazetteer.names["01"] == ("បន្ទាយមានជ័យ", "Banteay Meanchey")
    place = gazetteer.resolve("01020101")
    assert place is not None
    assert (place.province, place.commune) == ("01", "010201")


def test_every_export_is_the_same_bytes() -> None:
    assert export_gazetteer() == export_gazetteer()


def test_the_rows_are_in_order_of_code_without_repetition() -> None:
    codes = [row[0] for row in csv.reader(io.StringIO(export_gazetteer()[0].decode()))][1:]
    assert codes == sorted(set(codes))


def test_what_was_mended_or_left_out_is_named() -> None:
    told = "\n".join(export_gazetteer()[1])
    assert "commune 120913: missing, added with the names of 120912" in told
    assert "commune 100409: has no villages" in told
    assert "commune 120912: has no villages" in told
    outside = [line for line in told.splitlines() if "lie outside it" in line]
    assert sum(int(line.split(": ")[1].split()[0]) for line in outside) == 43
    assert "02140401 Kaoh Thum" in told
    assert "0506140- Phum Ti Bei" in told


def test_a_village_whose_code_another_commune_uses_wrongly_is_kept() -> None:
    names = parse_gazetteer(export_gazetteer()[0]).names
    assert names["02140401"][1] == "Mukh Rea Pir"
    assert names["12091101"][1] == "Chamkar Sbaeng"
    assert names["12091302"][1] == "Krang"
