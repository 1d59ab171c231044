/* SPDX-License-Identifier: Apache-2.0
 *
 * Converts libldap's messages into a reply: copied and bounded, without pointers into libldap.
 */
#include "ldap_private.h"

#include <string.h>

#include <apr_strings.h>

void as_reply_clear(as_reply *reply)
{
    memset(reply, 0, sizeof(*reply));
    reply->step = AS_STEP_CONNECT;
    reply->failure = AS_FAILURE_LOCAL;
    reply->matched_dn = reply->diagnostic = reply->reason = "";
}

static void forget_result(as_reply *reply)
{
    reply->code = 0;
    reply->matched_dn = reply->diagnostic = "";
    reply->diagnostic_length = 0;
    reply->controls = NULL;
    reply->control_count = 0;
    reply->typed_name = reply->foreign_name = false;
    reply->bind_name = NULL;
    reply->repeated = false;
}

void as_reply_fail(as_reply *reply, as_step step, as_failure failure, const char *reason)
{
    forget_result(reply);
    reply->step = step;
    reply->failure = failure;
    reply->reason = reason ? reason : "";
}

bool as_reply_is_outage(const as_reply *reply)
{
    switch (reply->failure) {
    case AS_FAILURE_DOWN:
    case AS_FAILURE_TIMEOUT:
        return true;
    case AS_FAILURE_NONE:
        return reply->code == LDAP_BUSY || reply->code == LDAP_UNAVAILABLE;
    case AS_FAILURE_OVERLOAD:
    case AS_FAILURE_CIRCUIT_OPEN:
    case AS_FAILURE_TLS:
    case AS_FAILURE_ANSWER:
    case AS_FAILURE_LOCAL:
        break;
    }
    return false;
}

static const char *copy_bounded(apr_pool_t *pool, const char *text)
{
    return text && *text ? apr_pstrmemdup(pool, text, strnlen(text, AS_MAX_TEXT)) : "";
}

static size_t count_controls(LDAPControl **controls)
{
    size_t count = 0;

    while (controls && controls[count]) {
        count++;
    }
    return count;
}

static void copy_controls(LDAPControl **controls, apr_pool_t *pool, as_reply *reply)
{
    as_control *copies = apr_pcalloc(pool, reply->control_count * sizeof(*copies));
    size_t i;

    for (i = 0; i < reply->control_count; i++) {
        const struct berval *value = &controls[i]->ldctl_value;

        copies[i].oid = apr_pstrdup(pool, controls[i]->ldctl_oid);
        if (value->bv_val && value->bv_len <= AS_MAX_CONTROL_VALUE) {
            copies[i].value = apr_pmemdup(pool, value->bv_val, value->bv_len);
            copies[i].length = value->bv_len;
        }
    }
    reply->controls = copies;
}

static void copy_referrals(char **urls, apr_array_header_t *referrals, apr_pool_t *pool, as_reply *reply)
{
    for (; urls && *urls; urls++) {
        reply->referral = true;
        if (referrals && referrals->nelts < AS_MAX_REFERRALS && strlen(*urls) <= AS_MAX_VALUE) {
            APR_ARRAY_PUSH(referrals, const char *) = apr_pstrdup(pool, *urls);
        }
    }
}

/* ---- checks that libldap omits: that there is a result code, and that each element ends within its parent (RFC
 * 4511 4.1.1, 5.1) ---- */

/* Exported by every libldap (2.4 to 2.6), but declared in no public header. */
BerElement *ldap_get_message_ber(LDAPMessage *message);

#define TAG_OCTETS 0x04
#define TAG_ENUMERATED 0x0a
#define TAG_SEQUENCE 0x30
#define TAG_CONTROLS 0xa0

static bool take_only(as_ber *from, unsigned char wanted, as_ber *contents)
{
    unsigned char tag;

    return as_ber_take(from, &tag, contents) && tag == wanted;
}

/* Returns whether the rest consists of whole elements. */
static bool are_whole(as_ber rest)
{
    unsigned char tag;
    as_ber inner;

    while (rest.left > 0 && as_ber_take(&rest, &tag, &inner)) {
    }
    return rest.left == 0;
}

static bool are_controls(as_ber rest)
{
    as_ber control, oid;

    while (rest.left > 0) {
        if (!take_only(&rest, TAG_SEQUENCE, &control) || !take_only(&control, TAG_OCTETS, &oid) ||
            !are_whole(control)) {
            return false;
        }
    }
    return true;
}

/* Checks the content of an LDAPResult. libldap treats a result code without octets as 0, which is success. */
static bool is_result(as_ber rest)
{
    as_ber code, inner;

    return take_only(&rest, TAG_ENUMERATED, &code) && code.left > 0 && take_only(&rest, TAG_OCTETS, &inner) &&
           take_only(&rest, TAG_OCTETS, &inner) && are_whole(rest);
}

/* Returns the protocolOp and what follows it. */
static bool get_octets(LDAPMessage *message, as_ber *operation, as_ber *rest)
{
    BerElement *ber = ber_dup(ldap_get_message_ber(message));
    struct berval content = {0, NULL};
    ber_len_t left = 0;
    bool is_there = ber && ber_skip_element(ber, &content) != LBER_DEFAULT &&
                    ber_get_option(ber, LBER_OPT_BER_REMAINING_BYTES, &left) == LBER_OPT_SUCCESS;

    operation->at = (const unsigned char *)content.bv_val;
    operation->left = content.bv_len;
    rest->at = operation->at + (is_there ? content.bv_len : 0);
    rest->left = left;
    ber_free(ber, 0);
    return is_there;
}

/* Checks a message. A wrong length would hide the controls that contradict a success. */
static bool is_message(LDAPMessage *message)
{
    as_ber operation, rest, content;
    unsigned char tag;

    if (!get_octets(message, &operation, &rest) || !is_result(operation)) {
        return false;
    }
    while (rest.left > 0) {
        if (!as_ber_take(&rest, &tag, &content) || (tag == TAG_CONTROLS && !are_controls(content))) {
            return false;
        }
    }
    return true;
}

bool as_response_read_result(LDAP *ld, LDAPMessage *message, apr_array_header_t *referrals, apr_pool_t *pool,
                             as_reply *reply, const char **reason)
{
    char *matched = NULL, *diagnostic = NULL, **urls = NULL;
    LDAPControl **controls = NULL;
    bool taken = false, whole = is_message(message);

    forget_result(reply);
    if (ldap_parse_result(ld, message, &reply->code, &matched, &diagnostic, &urls, &controls, 1) != LDAP_SUCCESS ||
        !whole) {
        *reason = "an answer that is not LDAP";
    } else if (count_controls(controls) > AS_MAX_CONTROLS) {
        *reason = "an answer with more controls than the " AS_TEXT_OF(AS_MAX_CONTROLS) " that are taken";
    } else {
        taken = true;
        reply->failure = AS_FAILURE_NONE;
        reply->matched_dn = copy_bounded(pool, matched);
        reply->diagnostic = copy_bounded(pool, diagnostic);
        reply->diagnostic_length = strlen(reply->diagnostic);
        reply->control_count = count_controls(controls);
        copy_controls(controls, pool, reply);
        copy_referrals(urls, referrals, pool, reply);
    }
    ldap_memfree(matched);
    ldap_memfree(diagnostic);
    ldap_memvfree((void **)urls);
    ldap_controls_free(controls);
    return taken;
}

/* Copies the values of an attribute, in the directory's order, without those that are too long or have a NUL. NULL
 * if none is left. */
static as_values copy_values(LDAP *ld, LDAPMessage *entry, const char *attribute, apr_pool_t *pool)
{
    struct berval **values = ldap_get_values_len(ld, entry, attribute);
    const int count = ldap_count_values_len(values);
    const char **copies = count > 0 ? apr_pcalloc(pool, ((size_t)count + 1) * sizeof(*copies)) : NULL;
    int i, copied = 0;

    for (i = 0; i < count; i++) {
        if (values[i]->bv_len <= AS_MAX_VALUE && !memchr(values[i]->bv_val, '\0', values[i]->bv_len)) {
            copies[copied++] = apr_pstrmemdup(pool, values[i]->bv_val, values[i]->bv_len);
        }
    }
    ldap_value_free_len(values);
    return copied > 0 ? copies : NULL;
}

bool as_response_read_entry(LDAP *ld, LDAPMessage *entry, const as_search *search, apr_pool_t *pool, as_reply *reply)
{
    char *dn = ldap_get_dn(ld, entry);
    as_values *values;
    int i;

    /* The entry exists but is unreadable, perhaps for want of memory: not zero entries, and not the only one. */
    if (!dn) {
        return false;
    }
    /* An entry without a DN could only be bound anonymously: it does not count. */
    if (!*dn || strlen(dn) > AS_MAX_VALUE) {
        ldap_memfree(dn);
        return true;
    }
    if (reply->entries++ > 0) {
        reply->entries = 2;
        reply->dn = NULL;
        reply->values = NULL;
        reply->membership = NULL;
    } else {
        values = apr_pcalloc(pool, ((size_t)search->attribute_count + 1) * sizeof(*values));
        for (i = 0; i < search->attribute_count; i++) {
            values[i] = copy_values(ld, entry, search->attributes[i], pool);
        }
        reply->dn = apr_pstrdup(pool, dn);
        reply->values = values;
    }
    ldap_memfree(dn);
    return true;
}

void as_response_read_reference(LDAP *ld, LDAPMessage *reference, apr_array_header_t *referrals, apr_pool_t *pool,
                                as_reply *reply)
{
    char **urls = NULL;

    reply->referral = true;
    if (ldap_parse_reference(ld, reference, &urls, NULL, 0) == LDAP_SUCCESS) {
        copy_referrals(urls, referrals, pool, reply);
        ldap_memvfree((void **)urls);
    }
}
