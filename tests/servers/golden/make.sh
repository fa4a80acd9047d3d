#!/bin/sh
# Certificates of servers in tests, by OpenSSL 3: `./make.sh` in this folder. The keys protect nothing.
set -eu
from=20200101000000Z
until=20991231235959Z
work=$(mktemp -d)

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

# An authority.
key "$work/authority.key"
openssl req -new -key "$work/authority.key" -subj "/CN=Authority of tests" -out "$work/authority.csr"
printf 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n' >"$work/authority.ext"

# `openssl ca` is what takes dates; it wants a place for its records.
touch "$work/index"
echo 01 >"$work/serial"
cat >"$work/ca.cnf" <<END
[ca]
default_ca = tests
[tests]
database = $work/index
serial = $work/serial
new_certs_dir = $work
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
END
sign() { # name, from, until, who signs
    openssl ca -batch -notext -config "$work/ca.cnf" -in "$work/$1.csr" -extfile "$work/$1.ext" -startdate "$2" -enddate "$3" -out "$1.pem" $4 2>/dev/null
}
sign authority $from $until "-selfsign -keyfile $work/authority.key"
by_authority="-cert authority.pem -keyfile $work/authority.key"

server() { # name, names in it, from, until, who signs
    key "$1.key"
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$work/$1.csr"
    printf 'basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=%s\n' "$2" >"$work/$1.ext"
    sign "$1" "$3" "$4" "$5"
}
server good DNS:localhost,DNS:registry.example.org,IP:127.0.0.1 $from $until "$by_authority"
server other DNS:other.example.org $from $until "$by_authority"
server expired DNS:localhost,DNS:registry.example.org,IP:127.0.0.1 $from 20200201000000Z "$by_authority"
server alone DNS:localhost,DNS:registry.example.org,IP:127.0.0.1 $from $until "-selfsign -keyfile alone.key"
rm -r "$work"
