# SPDX-License-Identifier: BSD-2-Clause
"""Holds manual pages to what mandoc and groff take without a word, and to quotation marks that come in pairs.

    manual.py PAGE...
Not asked for: lines of 80 octets, and that the pages which a page names are installed here.
"""

import pathlib
import re
import subprocess
import sys

NOT_ASKED = re.compile(r"input text line longer than 80 bytes|referenced manual not found|mandoc\.db")
LONGEST = 900  # columns, of what mandoc renders: most paragraphs are one line


def said(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return [line for line in done.stdout.splitlines() if not NOT_ASKED.search(line)]


def rendered(page):
    """Its paragraphs as a reader sees them, without bold and underlined letters."""
    done = subprocess.run(["mandoc", "-Tutf8", "-O", f"width={LONGEST}", page], capture_output=True, text=True, check=True)
    text = re.sub(r".\x08", "", done.stdout)
    return [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text)]


def odd_quotes(page):
    return [f"{page}: quotation marks without another: {text[:200]}" for text in rendered(page)
            if text.replace('\\"', "").count('"') % 2 or text.count("‘") != text.count("’") or re.search(r"‘’|‘\s|\s’", text)]


def main(*pages):
    wrong = []
    for page in pages:
        wrong += said("mandoc", "-Tlint", "-Wstyle", page) + said("groff", "-mandoc", "-Tutf8", "-ww", "-z", page)
        wrong += odd_quotes(page)
    print("\n".join(wrong) or f"{len(pages)} pages are in order")
    return 1 if wrong or not pages else 0


if __name__ == "__main__":
    sys.exit(main(*(str(pathlib.Path(page)) for page in sys.argv[1:])))
