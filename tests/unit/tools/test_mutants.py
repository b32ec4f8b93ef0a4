"""The list of mutations fits the code, and the tool tells a killed mutation from one that survived."""

from pathlib import Path

import pytest

from tools.mutants.__main__ import LIST, ROOT
from tools.mutants.mutation import Mutation, UnusableMutation, read_mutations

MUTATIONS = read_mutations(LIST)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_each_mutation_fits_the_code_and_names_tests_that_exist(mutation: Mutation) -> None:
    assert (ROOT / mutation.file).read_text().count(mutation.find) == 1
    for test in mutation.tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file(), path
        assert not name or f"def {name.split('::')[-1].split('[')[0]}(" in (ROOT / path).read_text(), test


def test_a_mutation_changes_its_file_and_tells_what_stood_there(tmp_path: Path) -> None:
    code = tmp_path / "guard.py"
    code.write_text("if mine:\n    write()\n")
    mutation = Mutation("n", "g", "guard.py", "if mine", "if True", ("t",))
    assert mutation.apply(tmp_path) == "if mine:\n    write()\n"
    assert code.read_text() == "if True:\n    write()\n"


@pytest.mark.parametrize("content", ["nothing of it", "if mine: a\nif mine: b\n"])
def test_a_mutation_whose_text_is_not_there_once_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "guard.py").write_text(content)
    with pytest.raises(UnusableMutation, match="not once"):
        Mutation("n", "g", "guard.py", "if mine", "if True", ("t",)).apply(tmp_path)


@pytest.mark.parametrize(
    "item",
    [
        'find = "a"\nreplace = "a"\ntests = ["t"]',
        'find = "a"\nreplace = "b"\ntests = []',
        'find = "a"\nreplace = "b"',
        'find = "a"\nreplace = "b"\ntests = ["t"]\nother = 1',
    ],
)
def test_a_mutation_that_could_not_fail_is_refused(tmp_path: Path, item: str) -> None:
    listed = tmp_path / "list.toml"
    listed.write_text(f'[[mutation]]\nname = "n"\nguards = "g"\nfile = "f"\n{item}\n')
    with pytest.raises(UnusableMutation):
        read_mutations(listed)
