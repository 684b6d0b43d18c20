#!/usr/bin/env bash
# Makes the certificates that the tests of TLS use, once and for ever: `bash test/node/certificates/make.sh`. Needs
# openssl. Nothing but tests may trust them: the keys are public.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$work/index"
cat >"$work/ca.cnf" <<CNF
[ca]
default_ca = tests
[tests]
database = $work/index
new_certs_dir = $work
serial = $work/serial
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
CNF

always=20200101000000Z
far=21200101000000Z

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1.key"; }

# authority NAME: one that signs itself.
authority() {
  key "$1"
  openssl req -new -key "$1.key" -subj "/CN=couplet test authority $1" -out "$work/$1.csr"
  printf 'basicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign, cRLSign\nsubjectKeyIdentifier = hash\n' >"$work/ext"
  openssl ca -batch -notext -selfsign -config "$work/ca.cnf" -keyfile "$1.key" -in "$work/$1.csr" -out "$1.pem" \
    -startdate "$always" -enddate "$far" -extfile "$work/ext"
}

# signed NAME AUTHORITY SAN USAGE [FROM] [TO]
signed() {
  key "$1"
  openssl req -new -key "$1.key" -subj "/CN=$1.example" -out "$work/$1.csr"
  printf 'basicConstraints = CA:FALSE\nsubjectAltName = %s\nextendedKeyUsage = %s\nauthorityKeyIdentifier = keyid\n' "$3" "$4" >"$work/ext"
  openssl ca -batch -notext -config "$work/ca.cnf" -cert "$2.pem" -keyfile "$2.key" -in "$work/$1.csr" -out "$1.pem" \
    -startdate "${5:-$always}" -enddate "${6:-$far}" -extfile "$work/ext"
}

names='DNS:localhost, DNS:poems.example, IP:127.0.0.1, IP:::1'
authority ca
authority stranger
signed server ca "$names" serverAuth
signed elsewhere ca 'DNS:elsewhere.example' serverAuth
signed expired ca "$names" serverAuth "$always" 20210101000000Z
signed future ca "$names" serverAuth 21100101000000Z "$far"
signed client ca 'DNS:reader.example' clientAuth
signed intruder stranger 'DNS:reader.example' clientAuth
key self-signed
openssl req -x509 -key self-signed.key -days 36500 -subj /CN=self-signed.example -addext "subjectAltName = $names" -out self-signed.pem
rm stranger.key ca.key
