/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/file_form.h"

#include "base/array.h"
#include "base/der.h"

#include <string.h>

/* What a form is, and what to do if it stands for a chain or for a key. NULL: it is right there. */
struct form {
    const char *for_chain;
    const char *for_key;
};

#define SAME(text)                                                                                           \
    {                                                                                                        \
        text, text                                                                                           \
    }
#define EXCHANGED "; are \"chain\" and \"key\" exchanged?"

static const struct form empty = SAME("it is empty: copy it here again");
static const struct form utf16 = SAME("it is text in UTF-16: iconv -f UTF-16 -t UTF-8 -o NEW.pem FILE");
static const struct form der_certificate = {
    "it is a certificate in DER form: openssl x509 -inform DER -in FILE -out NEW.pem",
    "it is a certificate in DER form, and no key" EXCHANGED};
static const struct form pkcs12 = {"it is PKCS#12 (.p12, .pfx): openssl pkcs12 -in FILE -nokeys -out NEW.pem "
                                   "(an old one takes -legacy as well)",
                                   "it is PKCS#12 (.p12, .pfx): openssl pkcs12 -in FILE -nocerts -nodes -out "
                                   "NEW.key (an old one takes -legacy "
                                   "as well)"};
static const struct form pkcs7_der = {
    "it is PKCS#7 (.p7b) in DER form: openssl pkcs7 -inform DER -in FILE -print_certs -out NEW.pem",
    "it is PKCS#7 (.p7b), which has certificates and no key: name the key that the request was made with"};
static const struct form pkcs7_pem = {
    "it is PKCS#7 (.p7b): openssl pkcs7 -in FILE -print_certs -out NEW.pem",
    "it is PKCS#7 (.p7b), which has certificates and no key: name the key that the request was made with"};
static const struct form request = {"it is a certificate request (CSR), no certificate yet: an authority "
                                    "makes one of it; for tests: openssl x509 "
                                    "-req -in FILE -signkey KEY -days 30 -out NEW.pem",
                                    "it is a certificate request (CSR), which has no private key: name the "
                                    "key that the request was made with"};
static const struct form public_key = {
    "it is a public key, and no certificate: name the file that the authority has sent",
    "it is a public key alone: name the file of the private one; if that is lost make a new one (openssl "
    "genpkey "
    "-algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out NEW.key), and have it certified"};
static const struct form openssh_key = {"it is a private key of OpenSSH, and no certificate" EXCHANGED,
                                        "it is in OpenSSH's own form: copy it, and convert the copy: "
                                        "ssh-keygen -p -m PEM -N \"\" -f NEW.key (not an "
                                        "Ed25519 key, which TLS servers don't use)"};
static const struct form openssh_public = {
    "it is a public key of OpenSSH, and no certificate: name the file that the authority has sent",
    "it is a public key of OpenSSH: name the file of the private one"};
static const struct form putty_key = {
    "it is a private key of PuTTY, and no certificate" EXCHANGED,
    "it is in PuTTY's own form: puttygen FILE -O private-openssh -o NEW.key; ssh-keygen -p -m PEM -N \"\" -f "
    "NEW.key"};
static const struct form private_key = {"it has a private key, and no certificate" EXCHANGED, NULL};
static const struct form der_key = {
    "it is a private key in DER form, and no certificate" EXCHANGED,
    "it is a private key in DER form: openssl pkey -inform DER -in FILE -out NEW.key"};
static const struct form dsa_key = {
    "it has a private key, and no certificate" EXCHANGED,
    "it is a key for DSA, which TLS doesn't use: make a new one (openssl genpkey -algorithm EC -pkeyopt "
    "ec_paramgen_curve:P-256 -out NEW.key), and have it certified"};
static const struct form certificate = {NULL, "it has certificates, and no key" EXCHANGED};
static const struct form revocation_list = SAME(
    "it is a list of revoked certificates (CRL): name the file that the authority has sent for the host");
static const struct form ocsp_response = SAME("it is an OCSP response, which belongs to \"ocsp\"");
static const struct form parameters = {
    "it has parameters alone, and no certificate: name the file that the authority has sent",
    "it has parameters alone, and no key: openssl ecparam -genkey -name prime256v1 makes both; name the "
    "key's file"};
static const struct form pgp = SAME(
    "it is of OpenPGP, which TLS doesn't use: an authority for TLS certifies a key (openssl req -new ...)");
static const struct form java =
    SAME("it is a keystore of Java: keytool -importkeystore -srckeystore FILE -destkeystore NEW.p12 "
         "-deststoretype PKCS12; openssl pkcs12 -in NEW.p12 -nodes -out NEW.pem");
static const struct form bare_base64 = {
    "it is base64 without its first and last line: base64 -d FILE | openssl x509 -inform DER -out NEW.pem",
    "it is base64 without its first and last line: base64 -d FILE | openssl pkey -inform DER -out NEW.key"};
static const struct form description = {
    "it describes a certificate in words and does not have it: name the file that the authority has sent",
    "it describes a certificate or a key in words and does not have it"};
static const struct form web_page = SAME("it is a web page, perhaps of an error: fetch it again");
static const struct form carriage_returns =
    SAME("its lines end with CR alone: tr '\\r' '\\n' < FILE > NEW.pem");

/* ---- text ---- */

/* In the order in which they are looked for: a file may have several. */
static const struct {
    const char *text;
    const struct form *form;
} texts[] = {
    {"-----BEGIN OPENSSH PRIVATE KEY-----", &openssh_key},
    {"-----BEGIN DSA PRIVATE KEY-----", &dsa_key},
    {"PRIVATE KEY-----", &private_key},
    {"-----BEGIN CERTIFICATE-----", &certificate},
    {"-----BEGIN X509 CERTIFICATE-----", &certificate},
    {"-----BEGIN TRUSTED CERTIFICATE-----", &certificate},
    {"-----BEGIN PKCS7-----", &pkcs7_pem},
    {"-----BEGIN PKCS #7 SIGNED DATA-----", &pkcs7_pem},
    {"-----BEGIN CMS-----", &pkcs7_pem},
    {"CERTIFICATE REQUEST-----", &request},
    {"PUBLIC KEY-----", &public_key},
    {"-----BEGIN X509 CRL-----", &revocation_list},
    {" PARAMETERS-----", &parameters},
    {"-----BEGIN PGP ", &pgp},
    {"---- BEGIN SSH2 PUBLIC KEY ----", &openssh_public},
    {"PuTTY-User-Key-File-", &putty_key},
    {"<html", &web_page},
    {"<HTML", &web_page},
    {"<!DOCTYPE", &web_page},
};

static const struct {
    const char *text;
    const struct form *form;
} beginnings[] = {
    {"ssh-", &openssh_public},      {"ecdsa-sha2-", &openssh_public},
    {"Certificate:", &description}, {"Private-Key:", &description},
    {"\xFF\xFE", &utf16},           {"\xFE\xFF", &utf16},
    {"\xFE\xED\xFE\xED", &java},
};

static bool has(struct slice content, const char *text)
{
    return content.len > 0 && memmem(content.data, content.len, text, strlen(text)) != NULL;
}

static bool is_base64(struct slice content)
{
    for (size_t i = 0; i < content.len; i++) {
        uint8_t octet = content.data[i];
        if (!ascii_is_alpha(octet) && !ascii_is_digit(octet) && strchr("+/=\r\n \t", octet) == NULL)
            return false;
    }
    return true;
}

static const struct form *form_of_text(struct slice content)
{
    struct slice text = content;
    while (text.len > 0 && strchr(" \t\r\n", text.data[0]) != NULL && text.data[0] != '\0')
        text = slice_from(text, 1);
    if (text.len == 0)
        return &empty;
    for (size_t i = 0; i < ARRAY_LEN(beginnings); i++)
        if (slice_has_prefix(text, beginnings[i].text))
            return beginnings[i].form;
    if (has(text, "-----BEGIN ") && has(text, "\r") && !has(text, "\n"))
        return &carriage_returns;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (has(text, texts[i].text))
            return texts[i].form;
    /* Base64 of a SEQUENCE with a length of two octets. */
    return slice_has_prefix(text, "MII") && is_base64(text) ? &bare_base64 : NULL;
}

/* ---- DER ---- */

/* AlgorithmIdentifier, or any SEQUENCE that begins with an OID. */
static bool take_algorithm(struct slice *rest)
{
    struct slice content;
    struct slice oid;
    return der_take_tag(rest, DER_SEQUENCE, &content) && der_take_tag(&content, DER_OID, &oid);
}

/* What an authority signs: the certificate, a request or a list, whose first parts these are. */
static const struct form *form_of_signed(struct slice inner)
{
    struct slice content;
    uint8_t tag = 0;
    if (der_take_tag(&inner, DER_FIRST, &content))
        return &der_certificate;
    bool has_number = der_take_tag(&inner, DER_INTEGER, &content);
    if (!take_algorithm(&inner))
        return has_number ? &request : NULL;
    /* After its issuer a list has a time, and a certificate of version 1 two in a SEQUENCE. */
    if (!der_take_tag(&inner, DER_SEQUENCE, &content) || !der_take(&inner, &tag, &content))
        return NULL;
    return tag == DER_UTC_TIME || tag == DER_GENERALIZED_TIME ? &revocation_list : &der_certificate;
}

/* What begins with a number: a private key, or PKCS#12. */
static const struct form *form_of_numbered(int64_t number, struct slice rest)
{
    struct slice content;
    if (number == 3 && take_algorithm(&rest))
        return &pkcs12;
    if (number == 0 && (take_algorithm(&rest) || der_take_tag(&rest, DER_INTEGER, &content)))
        return &der_key;
    return number == 1 && der_take_tag(&rest, DER_OCTET_STRING, &content) ? &der_key : &public_key;
}

static const struct form *form_of_der(struct slice content)
{
    struct slice all;
    struct slice first;
    struct slice second;
    uint8_t tag = 0;
    uint8_t tag_of_second = 0;
    if (!der_take_tag(&content, DER_SEQUENCE, &all) || !der_take(&all, &tag, &first))
        return NULL;
    if (tag == DER_INTEGER)
        return form_of_numbered(der_number(first), all);
    if (tag == DER_OID)
        return &pkcs7_der;
    if (tag == DER_ENUMERATED)
        return &ocsp_response;
    if (tag != DER_SEQUENCE || !der_take(&all, &tag_of_second, &second))
        return NULL;
    if (tag_of_second == DER_OCTET_STRING)
        return &der_key; /* encrypted */
    return tag_of_second == DER_BIT_STRING ? &public_key : form_of_signed(first);
}

static const struct form *form_of(struct slice content)
{
    const struct form *form = form_of_der(content);
    return form != NULL ? form : form_of_text(content);
}

const char *file_form_instead_of_chain(struct slice content)
{
    const struct form *form = form_of(content);
    return form != NULL ? form->for_chain : NULL;
}

const char *file_form_instead_of_key(struct slice content)
{
    const struct form *form = form_of(content);
    return form != NULL ? form->for_key : NULL;
}
