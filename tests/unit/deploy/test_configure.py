"""No setting is undocumented, and none is documented that there is not."""

from deploy.configure import PAGE, page
from tests.unit.deploy.named_settings import EVERY


def test_the_page_of_settings_is_what_the_classes_say() -> None:
    text = page()
    assert all(f"| `{name}` |" in text for name in EVERY)
    assert PAGE.read_text() == text, "write it anew: python -m deploy.configure"
