/* SPDX-License-Identifier: Apache-2.0
 *
 * One login for both passes: the password of a request that is refused and then makes a second pass was sent once, so
 * it is verified once.
 */
#include "passes.h"

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>

/* Tables that a login changes. X(table) */
#define AS_LOGIN_TABLES(X)                                                                                             \
    X(headers_in)                                                                                                      \
    X(headers_out)                                                                                                     \
    X(err_headers_out)                                                                                                 \
    X(subprocess_env)                                                                                                  \
    X(notes)

struct as_cached_login {
    bool made;
    const char *type, *name;    /* AuthType and AuthName: one protection space (RFC 9110 11.5) is one login */
    const request_rec *request; /* the request before the login */
    int status;
    char *user, *ap_auth_type;
    apr_bucket_brigade *kept_body; /* mod_auth_form: the body that its form has in a field, or an empty one */
    as_context context;            /* the provider's results */
#define AS_TABLE(table) apr_table_t *table;
    AS_LOGIN_TABLES(AS_TABLE)
#undef AS_TABLE
};

typedef struct as_difference {
    apr_pool_t *pool;
    const apr_table_t *before, *after;
    apr_table_t *changed;
} as_difference;

static int add_if_changed(void *data, const char *name, const char *value)
{
    const as_difference *difference = data;
    const char *before = apr_table_getm(difference->pool, difference->before, name);

    if (!before || strcmp(before, apr_table_getm(difference->pool, difference->after, name))) {
        apr_table_addn(difference->changed, name, value);
    }
    return 1;
}

static bool is_same_entry(const apr_table_entry_t *one, const apr_table_entry_t *other)
{
    return one->key == other->key && one->val == other->val;
}

/* Returns whether a table is what its copy was, which most logins leave of most tables. */
static bool is_unchanged(const apr_table_t *before, const apr_table_t *after)
{
    const apr_array_header_t *one = apr_table_elts(before), *other = apr_table_elts(after);
    int i = 0;

    while (i < one->nelts && i < other->nelts &&
           is_same_entry(&APR_ARRAY_IDX(one, i, apr_table_entry_t), &APR_ARRAY_IDX(other, i, apr_table_entry_t))) {
        i++;
    }
    return i == one->nelts && i == other->nelts;
}

/* Returns the names that have other values in `after` than in `before`, with all of these. */
static apr_table_t *find_changed(apr_pool_t *pool, const apr_table_t *before, const apr_table_t *after)
{
    as_difference difference = {pool, before, after, apr_table_make(pool, 4)};

    if (!is_unchanged(before, after)) {
        apr_table_do(add_if_changed, &difference, after, NULL);
    }
    return difference.changed;
}

static int remove_name(void *table, const char *name, const char *value)
{
    (void)value;
    apr_table_unset(table, name);
    return 1;
}

static int add_value(void *table, const char *name, const char *value)
{
    apr_table_addn(table, name, value);
    return 1;
}

static void repeat_change(apr_table_t *table, const apr_table_t *changed)
{
    apr_table_do(remove_name, table, changed, NULL);
    apr_table_do(add_value, table, changed, NULL);
}

static bool is_same(const char *one, const char *other)
{
    return one && other ? !strcmp(one, other) : one == other;
}

void as_mask_login_forget(request_rec *r)
{
    module *digest = ap_find_linked_module("mod_auth_digest.c");

    if (digest && !r->user) {
        ap_set_module_config(r->request_config, digest, NULL);
    }
}

/* The first login of a request is kept: that of its first pass, unless the request was refused without one. */
void as_mask_begin_login(request_rec *r, as_context *context)
{
    const as_section *section = as_section_get(r);
    as_cached_login *login;

    if (context->mask && section->mask && section->mask->word == AS_MASK_ALL) {
        as_mask_guard_login(r);
    }
    if (!context->mask || context->mask->pass == AS_PASS_DONE || (context->mask->login && context->mask->login->made)) {
        return;
    }
    login = context->mask->login = apr_pcalloc(r->pool, sizeof(*login));
    login->type = ap_auth_type(r);
    login->name = ap_auth_name(r);
    login->request = apr_pmemdup(r->pool, r, sizeof(*r));
#define AS_TABLE(table) login->table = apr_table_copy(r->pool, r->table);
    AS_LOGIN_TABLES(AS_TABLE)
#undef AS_TABLE
}

void as_mask_end_login(request_rec *r, as_context *context, int status)
{
    as_cached_login *login = context->mask ? context->mask->login : NULL;

    if (context->mask) {
        as_mask_release_login(r);
    }
    if (!login || login->made) {
        return;
    }
#define AS_TABLE(table) login->table = find_changed(r->pool, login->table, r->table);
    AS_LOGIN_TABLES(AS_TABLE)
#undef AS_TABLE
    login->status = status;
    login->user = r->user;
    login->kept_body = r->kept_body;
    login->ap_auth_type = r->ap_auth_type;
    login->context = *context;
    login->made = true;
}

bool as_mask_login_was_made(request_rec *r, as_context *context, int *status)
{
    const as_mask *mask = context->mask;
    const as_cached_login *login = mask && mask->pass == AS_PASS_MISSING ? mask->login : NULL;

    if (!login || !login->made || !is_same(login->type, ap_auth_type(r)) || !is_same(login->name, ap_auth_name(r)) ||
        !as_section_set_has_same_login(login->request, r)) {
        return false;
    }
#define AS_TABLE(table) repeat_change(r->table, login->table);
    AS_LOGIN_TABLES(AS_TABLE)
#undef AS_TABLE
    r->user = login->user;
    r->kept_body = login->kept_body ? login->kept_body : r->kept_body;
    r->ap_auth_type = login->ap_auth_type;
    as_context_reuse_login(context, &login->context);
    *status = login->status;
    return true;
}
