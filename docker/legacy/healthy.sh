#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each server greets. (bash: there is no program in the image that connects, but bash itself does.)
set -eu

greets() { # PORT GREETING
    exec 3<>"/dev/tcp/127.0.0.1/$1"
    read -r -t 3 line <&3
    printf 'QUIT\r\n' >&3
    exec 3>&-
    [[ $line == "$2"* ]] || { echo "port $1 says: $line"; exit 1; }
}

greets 10143 '* OK'
greets 10110 '+OK'
greets 10587 '220 '
