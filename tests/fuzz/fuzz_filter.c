/* SPDX-License-Identifier: Apache-2.0
 *
 * Input: an octet that chooses the URL's filter, and the name that a person typed. Whatever the name is, the filter
 * requests entries that match the URL's filter and whose attribute has this very name: nothing in it is a filter's
 * syntax.
 */
#include <apr_general.h>

#include "ldap/search_bind.c"
#include "fuzz.h"

static const char *const filters[] = {NULL, "(objectClass=*)", "(|(a=b)(!(c=d\\29*)))"};

/* The filter as it goes to the directory (RFC 4511 4.5.1.7). */
static struct berval encoded(LDAP *ld, const char *filter)
{
    struct berval value = {0, NULL};

    must(ldap_create_assertion_control_value(ld, (char *)(intptr_t)filter, &value) == LDAP_SUCCESS);
    return value;
}

static void check_equality(struct berval *content, const char *user)
{
    BerElement *ber = ber_init(content);
    struct berval attribute, value;

    must(ber != NULL);
    must(ber_skip_element(ber, &attribute) == LBER_OCTETSTRING && ber_skip_element(ber, &value) == LBER_OCTETSTRING);
    must(attribute.bv_len == 3 && memcmp(attribute.bv_val, "uid", 3) == 0);
    must(value.bv_len == strlen(user) && memcmp(value.bv_val, user, value.bv_len) == 0);
    ber_free(ber, 1);
}

static void check_both(LDAP *ld, struct berval *content, const char *filter, const char *user)
{
    struct berval before = encoded(ld, filter), element;
    BerElement *ber = ber_init(content);

    must(ber != NULL && content->bv_len > before.bv_len);
    must(memcmp(content->bv_val, before.bv_val, before.bv_len) == 0);
    must(ber_skip_element(ber, &element) != LBER_DEFAULT && ber_skip_element(ber, &element) == LDAP_FILTER_EQUALITY);
    check_equality(&element, user);
    must(ber_peek_tag(ber, &element.bv_len) == LBER_DEFAULT); /* and no third */
    ber_free(ber, 1);
    ber_memfree(before.bv_val);
}

static void check(const char *filter, const char *made, const char *user)
{
    LDAP *ld = NULL;
    struct berval octets, content;
    BerElement *ber;
    ber_tag_t tag;

    must(ldap_initialize(&ld, NULL) == LDAP_SUCCESS);
    octets = encoded(ld, made);
    ber = ber_init(&octets);
    must(ber != NULL);
    tag = ber_skip_element(ber, &content);
    if (filter) {
        must(tag == LDAP_FILTER_AND);
        check_both(ld, &content, filter, user);
    } else {
        must(tag == LDAP_FILTER_EQUALITY);
        check_equality(&content, user);
    }
    ber_free(ber, 1);
    ber_memfree(octets.bv_val);
    ldap_unbind_ext(ld, NULL, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const attributes[] = {"uid", NULL};
    as_directory_settings settings = {.attributes = attributes, .attribute_count = 1};
    apr_pool_t *pool;
    const char *user, *made;

    if (size < 2 || data[1] == '\0') {
        return 0;
    }
    apr_initialize();
    must(apr_pool_create(&pool, NULL) == APR_SUCCESS);
    settings.filter = filters[data[0] % 3];
    user = apr_pstrmemdup(pool, (const char *)data + 1, size - 1);
    made = make_filter(&settings, user, pool);
    must(made != NULL);
    check(settings.filter, made, user);
    apr_pool_destroy(pool);
    return 0;
}
