"""
Bytes to text: the letters of a file as they were written, or not at all. Knows nothing about tables.
"""

from __future__ import annotations

import re

from charset_normalizer import from_bytes

from playground.errors import PlaygroundError

FOUND = ["utf_8", "utf_16", "utf_16_le", "utf_16_be", "cp1252"]  # cp1252 holds all printable letters of Latin-1
SAID = {
    "utf_8": "UTF-8", "utf_16": "UTF-16", "cp1252": "Windows-1252", "cp1250": "Windows-1250", "cp1251": "Windows-1251",
    "cp1254": "Windows-1254", "mac_roman": "Mac Roman", "cp850": "DOS 850", "shift_jis": "Shift JIS", "gb18030": "GB 18030",
    "big5": "Big5", "euc_kr": "EUC-KR",
}  # fmt: skip  # what can be asked for, as it is called
CONTROL = re.compile("[\0-\x08\x0e-\x1f\x7f\ud800-\udfff]")  # no text has them: escapes, half characters
# What a Mac's or DOS's letters look like as Windows-1252: signs in, before or behind words, accented capitals inside
SIGNS, LETTER, SMALL, CAPITAL = "¢£¤¥¦§¨¬¯±´¶¸¹¼½¾ƒˆ‰˜", r"[^\W\d_]", "[a-zß-öø-ÿšœž]", "[ŠŒŽŸÀ-ÖØ-Þ]"
GARBLED = re.compile(
    rf"{LETTER}([^\w\s\x00-\x7f’‘“”·–—…]|[²³¿¡]){LETTER}|(?<!\w)[{SIGNS}©®°²³º×÷€†‡›™]{SMALL}|{SMALL}[{SIGNS}]"
    rf"|({SMALL}|[A-Z](?=..?{SMALL})){CAPITAL}|{CAPITAL}[A-Z][a-z]|[ÐÞÝðþý]"  # the last are Turkish there, in Windows-1254
)
# How a PDF begins, a packed file (also a workbook), pictures
OTHER_KINDS = (b"%PDF-", b"PK\3\4", b"\x1f\x8b", b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
LOOKED = 1024  # bytes


def decoded(data: bytes, asked: str = "") -> tuple[str, str]:
    """
    A text and the encoding that it was found in, or is `asked` to be in (of SAID). Raises PlaygroundError if none is
    certain, it is in another, or these bytes are no text at all.
    """
    if data.startswith(OTHER_KINDS):
        raise PlaygroundError("data_no_text")
    if asked:
        return _as_asked(data, asked)
    try:
        text, encoding = data.decode("utf-8-sig"), "utf_8"
    except UnicodeDecodeError:
        text, encoding = "\0", ""
    if "\0" in text:  # valid UTF-8, but how UTF-16 writes plain letters
        best = from_bytes(data, cp_isolation=FOUND).best()
        text, encoding = (str(best), best.encoding) if best and re.search("[ -~]", str(best)) else ("\0", "")
    if CONTROL.search(text) or (encoding == "cp1252" and GARBLED.search(text)):
        raise _unread(data, PlaygroundError("data_encoding"))
    return text.removeprefix("\ufeff"), SAID.get(encoding, "UTF-16")


def _as_asked(data: bytes, asked: str) -> tuple[str, str]:
    if asked not in SAID:
        raise PlaygroundError("data_encoding_unknown", found=asked[:60], known=", ".join(SAID))
    try:
        text = data.decode("utf-8-sig" if asked == "utf_8" else asked)
    except UnicodeDecodeError:
        text = "\0"
    if CONTROL.search(text):
        raise _unread(data, PlaygroundError("data_encoding_asked", encoding=SAID[asked]))
    return text.removeprefix("\ufeff"), SAID[asked]


def _unread(data: bytes, wrong: PlaygroundError) -> PlaygroundError:
    """What is `wrong` with bytes that could not be read: with zeros at odd and at even places, even UTF-16 they are not."""
    head = data[:LOOKED]
    return PlaygroundError("data_no_text") if 0 in head[::2] and 0 in head[1::2] else wrong
