"""A report in a few lines: as text and as HTML."""

from html.parser import HTMLParser

from softops.conformance.measure.brief import Brief, Briefed, Table

ODD = "<script>alert(1)</script> & 'x' \"y\" \x1b[5m\u202e\n"


class Shown(Briefed):
    def __init__(self, brief):
        self._told = brief

    @property
    def brief(self):
        return self._told


class Elements(HTMLParser):
    """Tags with their attributes, and the text; complains of what is not closed in turn."""

    def __init__(self, text):
        super().__init__()
        self.found, self.text, self._open = [], "", []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_text_has_columns_one_below_the_other():
    text = str(
        Shown(Brief("x", "right", True, [Table(("name", "ULP"), [("a", "1"), ("longer", "20")])], ["said"]))
    )
    first, _, *table, _, last = text.splitlines()
    assert first == "x: right"
    assert {line.index(cell) for line, cell in zip(table, ("ULP", "1", "20"), strict=True)} == {
        len("  longer  ")
    }
    assert last == "  said"
    assert repr(Shown(Brief("x", "right"))) == "x: right"


def test_of_many_rows_and_sentences_the_first_are_shown_and_the_others_counted():
    many = Shown(
        Brief(
            "x",
            "y",
            None,
            [Table(("n",), [(f"row{n}",) for n in range(1234)])],
            [f"said{n}" for n in range(12)],
        )
    )
    for shown in (str(many), Elements(many._repr_html_()).text):
        assert "row9" in shown
        assert "row10" not in shown
        assert "… and 1,224 more" in shown
        assert "said9" in shown
        assert "said10" not in shown
        assert "… and 2 more" in shown


def test_odd_texts_are_texts():
    odd = Shown(Brief(ODD, ODD, False, [Table((ODD,), [(ODD,)])], [ODD]))
    text = str(odd)
    assert all(line.isprintable() for line in text.split("\n"))
    assert "\\x1b[5m\\u202e\\n" in text
    tags = {tag for tag, _ in Elements(odd._repr_html_()).found}
    assert tags == {"div", "p", "strong", "table", "tr", "th", "td"}
    assert "<script>alert(1)</script> & 'x' \"y\"" in Elements(odd._repr_html_()).text


def test_html_changes_nothing_around_it():
    found = Elements(Shown(Brief("x", "y", True, [Table(("a",), [("b",)])], ["c"]))._repr_html_()).found
    assert found[0][0] == "div"
    for _, attributes in found:
        assert attributes.keys() <= {"style"}
        # Colours of text and ground are those of the notebook, light or dark.
        properties = {part.split(":")[0].strip() for part in attributes.get("style", "").split(";")}
        assert not properties & {"color", "background-color", "position"}
        assert "url(" not in attributes.get("style", "")


def test_a_mark_tells_good_from_bad():
    marks = {
        Elements(Shown(Brief("x", "y", passed))._repr_html_()).found[0][1]["style"]
        for passed in (True, False, None)
    }
    assert len(marks) == 3
