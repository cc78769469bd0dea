"""The one complaint that is sent over and over: 569 bytes of JSON, about nobody."""

import json

SIZE = 569
_NARRATIVE = (
    "The branch charged the handling fee twice for one transfer and nobody rang back although I was promised a call "
    "within two days. The counter said the system was down, the phone centre said the branch must decide, and the "
    "statement still shows both entries. Please return the second fee and say what went wrong. "
)


def body(customer: int = 1) -> bytes:
    """Exactly `SIZE` bytes, so that figures of different days compare. `customer` is whose number it bears: below a
    million, and another one where reporting takes part, to whom complaints of one person are repeats of one another."""
    complaint = {
        "channel": "phone",
        "narrative": _NARRATIVE,
        "complainant": {"name": "Chan Example", "phone": "+852 5555 0100", "customer_no": f"C-{customer:06d}"},
        "branch": "central-01",
        "product": "remittance",
        "amount": {"value": "120.00", "currency": "HKD"},
        "language": "en",
    }
    missing = SIZE - len(json.dumps(complaint, separators=(",", ":")))
    complaint["narrative"] = _NARRATIVE + ("Thank you for looking into it. " * 10)[:missing]
    found = json.dumps(complaint, separators=(",", ":")).encode()
    assert len(found) == SIZE
    return found
