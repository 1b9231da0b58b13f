/* SPDX-License-Identifier: BSD-2-Clause */
#include "tls/tickets/tls_ticket_cipher.h"

#include <openssl/cipher.h>
#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <string.h>

enum { FAILED = -1, NO_KEY = 0, GOOD = 1, GOOD_BUT_OLD = 2, IV_LEN = 16 };

/* More than the library's functions that are given a key have on the stack. */
enum { STACK_WIPED = 2048 };

/*
 * The library leaves keys on the stack (HMAC_Init_ex the padded one). Called by the function that called it,
 * this has its frame where that had its own.
 */
__attribute__((noinline)) static void wipe_stack(void)
{
    uint8_t frame[STACK_WIPED];
    explicit_bzero(frame, sizeof frame);
}

static bool set_mac(HMAC_CTX *mac, const struct tls_ticket_key *key)
{
    return HMAC_Init_ex(mac, key->hmac, sizeof key->hmac, EVP_sha256(), NULL) == 1;
}

static int set_sealing(const struct tls_ticket_set *set, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
                       HMAC_CTX *mac)
{
    const struct tls_ticket_key *key = &set->keys[set->sealing];
    memcpy(name, key->name, sizeof key->name);
    RAND_bytes(iv, IV_LEN);
    bool ok = EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv) == 1 && set_mac(mac, key);
    return ok ? GOOD : FAILED;
}

static int set_opening(const struct tls_ticket_set *set, const uint8_t *name, const uint8_t *iv,
                       EVP_CIPHER_CTX *cipher, HMAC_CTX *mac)
{
    size_t found = tls_ticket_set_find(set, name);
    if (found == TLS_TICKET_KEYS)
        return NO_KEY;
    const struct tls_ticket_key *key = &set->keys[found];
    if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv) != 1 || !set_mac(mac, key))
        return FAILED;
    /*
     * A newer key is of a replica that has rotated before us: a ticket of ours would be no better than that
     * one.
     */
    return found < set->sealing ? GOOD_BUT_OLD : GOOD;
}

int tls_ticket_cipher_set(const struct tls_ticket_keys *keys, uint8_t *name, uint8_t *iv,
                          EVP_CIPHER_CTX *cipher, HMAC_CTX *mac, bool sealing)
{
    struct tls_ticket_set set;
    tls_ticket_keys_get(keys, &set);
    int result =
        sealing ? set_sealing(&set, name, iv, cipher, mac) : set_opening(&set, name, iv, cipher, mac);
    tls_ticket_set_wipe(&set);
    wipe_stack();
    return result;
}
