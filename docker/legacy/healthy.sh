#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each server greets. (bash: there is no program in the image that connects, but bash itself does.)
set -eu

greets() { # PORT GREETING GOODBYE
    exec 3<>"/dev/tcp/127.0.0.1/$1"
    read -r -t 3 line <&3
    printf '%s\r\n' "$3" >&3
    cat <&3 >/dev/null
    exec 3>&-
    [[ $line == "$2"* ]] || { echo "port $1 says: $line"; exit 1; }
}

greets 10143 '* OK' 'x LOGOUT'
greets 10110 '+OK' QUIT
greets 10587 '220 ' QUIT
