/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_page.h"

#include <stdlib.h>
#include <string.h>

#include "authstatus/dn.h"

typedef struct row {
    const char *text, *normal; /* NULL: it is none */
} row;

static const row rows[] = {
    {"", ""},
    {"  ", ""},
    {"cn=staff,dc=lab,dc=test", "cn=staff,dc=lab,dc=test"},
    {"CN=Staff,DC=Lab,DC=Test", "cn=staff,dc=lab,dc=test"},
    {" cn = staff , dc = lab ;dc=test ", "cn=staff,dc=lab,dc=test"},
    {"2.5.4.3=staff,0.9.2342.19200300.100.1.25=lab", "cn=staff,dc=lab"},
    {"OID.2.5.4.3=staff,commonName=x,userid=y", "cn=staff,cn=x,uid=y"},
    {"pkcs9email=ann,emailAddress=x,E=y", "email=ann,email=x,email=y"},
    {"1.2.3.4=x", "1.2.3.4=x"},
    {"cn=\\75ser", "cn=user"},
    {"cn=a\\2cb,o=x", "cn=a\\2cb,o=x"},
    {"cn=a\\,b,o=x", "cn=a\\2cb,o=x"},
    {"cn=a\\\"b\\+c\\;d\\<e\\>f\\\\g", "cn=a\\22b\\2bc\\3bd\\3ce\\3ef\\5cg"},
    {"cn=\\#x", "cn=\\23x"},
    {"cn=a#b", "cn=a\\23b"},
    {"cn=a=b", "cn=a\\3db"},
    {"cn=a\\=b", "cn=a\\3db"},
    {"cn=  a   b  ", "cn=a b"},
    {"cn=\\ a\\20\\20b\\ ", "cn=a b"},
    {"cn=,o=x", "cn=,o=x"},
    {"cn=\\ ,o=x", "cn=,o=x"},
    {"cn=b+ou=a,o=x", "cn=b+ou=a,o=x"},
    {"ou=a + CN=b,o=x", "cn=b+ou=a,o=x"},
    {"cn=b+cn=a", "cn=a+cn=b"},
    {"cn=#0c0161", "cn=a"},
    {"cn=#130141", "cn=a"},
    {"cn=#04024869", "cn=#04024869"},
    {"cn=#0C0161,o=x", "cn=a,o=x"},
    {"cn=#0c0261", "cn=#0c0261"},
    {"cn=M\xc3\xbcller", "cn=m\xc3\xbcller"},
    {"cn=M\\c3\\BCller", "cn=m\xc3\xbcller"},
    {"cn=a\\00b", "cn=a\\00b"},
    {"cn=*()\\5c", "cn=*()\\5c"},
    /* none */
    {"staff", NULL},
    {"=staff", NULL},
    {"cn", NULL},
    {"cn=a,", NULL},
    {",cn=a", NULL},
    {"cn=a,,o=x", NULL},
    {"cn=a+", NULL},
    {"cn=a,b", NULL},
    {"cn=a+b,o=x", NULL},
    {"cn=\"a,b\",o=x", NULL},
    {"\"cn=a,o=x\"", NULL},
    {"cn=a\\", NULL},
    {"cn=a\\g", NULL},
    {"cn=a\\4", NULL},
    {"cn=a<b", NULL},
    {"cn=a>b", NULL},
    {"cn=#", NULL},
    {"cn=#4", NULL},
    {"cn=#zz", NULL},
    {"cn=#0c0161 x", NULL},
    {"1.=x", NULL},
    {".1=x", NULL},
    {"1=x", NULL},
    {"-a=x", NULL},
    {"cn;lang-de=x", NULL},
    {"c n=x", NULL},
};

static void normal_forms(void **state)
{
    char normal[AS_DN_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        guarded text = guarded_copy(rows[i].text, strlen(rows[i].text));
        bool is = as_dn_normalize(text.at, text.length, normal, NULL);

        if (is != (rows[i].normal != NULL) || (is && strcmp(normal, rows[i].normal) != 0)) {
            fail_msg("\"%s\" became \"%s\"", rows[i].text, is ? normal : "none");
        }
        guarded_free(&text);
    }
}

static void a_normal_form_is_its_own(void **state)
{
    char again[AS_DN_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].normal) {
            assert_true(as_dn_normalize(rows[i].normal, strlen(rows[i].normal), again, NULL));
            assert_string_equal(again, rows[i].normal);
        }
    }
}

static void what_is_wrong_is_pointed_at(void **state)
{
    char normal[AS_DN_MAX];
    size_t at = 0;

    (void)state;
    assert_false(as_dn_normalize("cn=a, b,o=x", 11, normal, &at));
    assert_int_equal(at, 7);
    assert_string_equal(normal, "");
    assert_false(as_dn_normalize("cn=a\0b", 6, normal, &at));
    assert_int_equal(at, 4);
}

static void bounds(void **state)
{
    static char long_name[AS_DN_MAX + 2];
    char normal[AS_DN_MAX];

    (void)state;
    memset(long_name, 'a', sizeof long_name - 1);
    memcpy(long_name, "cn=", 3);
    assert_true(as_dn_normalize(long_name, AS_DN_MAX - 1, normal, NULL));
    assert_int_equal(strlen(normal), AS_DN_MAX - 1);
    assert_false(as_dn_normalize(long_name, AS_DN_MAX, normal, NULL));
    assert_false(as_dn_normalize(long_name, AS_DN_MAX + 1, normal, NULL));
    memset(long_name + 3, '=', AS_DN_MAX / 2); /* escapes need more room than there is */
    assert_false(as_dn_normalize(long_name, AS_DN_MAX / 2, normal, NULL));
}

static void equality_for_certain(void **state)
{
    (void)state;
    assert_true(as_dn_is_surely_same("CN=Staff, OU=Groups,DC=lab", "cn=staff,ou=groups,dc=LAB"));
    assert_true(as_dn_is_surely_same("2.5.4.3=a,o=x", "cn=A,o=X"));
    assert_true(as_dn_is_surely_same("labeledURI=A,o=x", "LABELEDURI=\\41,O=X"));
    /* labeledURI, automountKey and others distinguish upper case from lower case (RFC 2079). */
    assert_true(as_dn_is_same("labeledURI=A,o=x", "labeledURI=a,o=x"));
    assert_false(as_dn_is_surely_same("labeledURI=A,o=x", "labeledURI=a,o=x"));
    assert_false(as_dn_is_surely_same("cn=x+automountKey=A,o=x", "cn=x+automountKey=a,o=x"));
    assert_false(as_dn_is_surely_same("labeledURI=#0c0141,o=x", "labeledURI=a,o=x"));
    /* A directory with rules of its own may have two entries of these names. */
    assert_false(as_dn_is_surely_same("cn=a  b,o=x", "cn=a b,o=x"));
    assert_false(as_dn_is_surely_same("cn=\\ a,o=x", "cn=a,o=x"));
    assert_false(as_dn_is_surely_same("cn=a\\20,o=x", "cn=a,o=x"));
    assert_true(as_dn_is_surely_same("cn= a b , o=x", "cn=a b,o=x"));
    assert_true(as_dn_is_surely_same("cn=a  b,o=x", "cn=A  B,o=x"));
    assert_true(as_dn_is_surely_same("cn=\\ a\\ ,o=x", "cn=\\20a\\20,o=x"));
    assert_true(as_dn_is_same("cn=\\ a  b,o=x", "cn=a b,o=x"));
    assert_false(as_dn_is_surely_same("no name", "no name"));
}

static void equality_and_parts(void **state)
{
    (void)state;
    assert_true(as_dn_is_same("CN=a,O=x", "cn = A;o=X"));
    assert_false(as_dn_is_same("cn=a,o=x", "cn=a,o=y"));
    assert_false(as_dn_is_same("rubbish", "rubbish"));
    assert_true(as_dn_is_within("cn=a,o=x", "o=x"));
    assert_true(as_dn_is_within("o=x", "o=x"));
    assert_true(as_dn_is_within("cn=a", ""));
    assert_false(as_dn_is_within("cn=a,oo=x", "o=x"));
    assert_false(as_dn_is_within("o=x", "cn=a,o=x"));
    assert_false(as_dn_is_within("cn=a\\2co\\3dx", "o=x"));
}

/* ---- property: a name that is written in another way has the same normal form, one that is changed has not ---- */

static unsigned random_of(unsigned below)
{
    static uint64_t seed = 20261128;

    seed = seed * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(seed >> 33) % below;
}

static void append(char *to, char octet)
{
    size_t length = strlen(to);

    to[length] = octet;
    to[length + 1] = '\0';
}

static void append_escaped(char *to, unsigned char octet)
{
    sprintf(to + strlen(to), "\\%02x", octet);
}

/* One octet of a value, written in one of its ways. */
static void write_octet(char *to, unsigned char octet, bool plain)
{
    if (!plain && random_of(3) == 0) {
        append_escaped(to, octet);
    } else if (strchr("\"+,;<>=\\#", octet) || octet == ' ') {
        append(to, '\\');
        append(to, (char)octet);
    } else {
        append(to, (char)(!plain && octet >= 'a' && octet <= 'z' && random_of(2) ? octet - 32 : octet));
    }
}

static const unsigned char octets[] = "abcxyz019,+\"\\<>;=# *()\xc3\xbc";
static const char *const names[][3] = {
    {"cn", "CN", "2.5.4.3"}, {"ou", "organizationalUnitName", "2.5.4.11"}, {"dc", "DC", "0.9.2342.19200300.100.1.25"}};

typedef struct parts {
    int count, type[8], length[8];
    unsigned char value[8][8];
    bool joined[8]; /* to the one before, by "+" */
} parts;

static void make(parts *name)
{
    name->count = 1 + (int)random_of(6);
    for (int i = 0; i < name->count; i++) {
        name->type[i] = (int)random_of(3);
        name->length[i] = 1 + (int)random_of(7);
        name->joined[i] = i > 0 && random_of(4) == 0;
        for (int j = 0; j < name->length[i]; j++) {
            name->value[i][j] = octets[random_of(sizeof octets - 1)];
        }
        /* spaces at an end, or two of them, are not significant: tested by rows */
        for (int j = 0; j < name->length[i]; j++) {
            if (name->value[i][j] == ' ') {
                name->value[i][j] = '_';
            }
        }
    }
}

static void write_part(const parts *name, int i, bool plain, char *to)
{
    const char *type = names[name->type[i]][plain ? 0 : random_of(3)];

    strcat(to, plain || random_of(2) ? "" : " ");
    strcat(to, type);
    strcat(to, plain || random_of(2) ? "=" : " = ");
    for (int j = 0; j < name->length[i]; j++) {
        write_octet(to, name->value[i][j], plain);
    }
    strcat(to, plain || random_of(2) ? "" : " ");
}

static void write_name(const parts *name, bool plain, char *to)
{
    *to = '\0';
    for (int i = 0; i < name->count;) {
        int end = i + 1, turn;

        while (end < name->count && name->joined[end]) {
            end++;
        }
        turn = plain ? 0 : (int)random_of((unsigned)(end - i));
        strcat(to, i == 0 ? "" : plain || random_of(2) ? "," : ";");
        for (int j = 0; j < end - i; j++) {
            strcat(to, j == 0 ? "" : "+");
            write_part(name, i + (j + turn) % (end - i), plain, to);
        }
        i = end;
    }
}

static void other_spellings_are_the_same(void **state)
{
    char plain[1024], other[1024], first[AS_DN_MAX], second[AS_DN_MAX];
    parts name;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        make(&name);
        write_name(&name, true, plain);
        write_name(&name, false, other);
        if (!as_dn_normalize(plain, strlen(plain), first, NULL) ||
            !as_dn_normalize(other, strlen(other), second, NULL) || strcmp(first, second) != 0) {
            fail_msg("\"%s\" and \"%s\": \"%s\" and \"%s\"", plain, other, first, second);
        }
        name.value[0][0] = name.value[0][0] == '9' ? '1' : '9';
        write_name(&name, false, other);
        assert_true(as_dn_normalize(other, strlen(other), second, NULL));
        if (strcmp(first, second) == 0) {
            fail_msg("\"%s\" and \"%s\" are not the same", plain, other);
        }
    }
}

/* What directories read beyond RFC 4514. NULL: it is none. */
static void dialects_are_read(void **state)
{
    static const row quoted[] = {
        {"uid=ann,o=x", "uid=ann,o=x"},
        {"uid=\"ann\",o=x", "uid=ann,o=x"},
        {"uid = \"ann\" , o=\"x\"", "uid = ann , o=x"},
        {"cn=\"a,b;c=d+e#f<g>\",o=x", "cn=a\\,b\\;c\\=d\\+e\\#f\\<g\\>,o=x"},
        {"cn=\"a\\\"b\\2c\"", "cn=a\\\"b\\2c"},
        {"cn=a\"b", "cn=a\"b"},
        {"cn=\\\"a", "cn=\\\"a"},
        {"cn=\"a", NULL},
        {"", ""},
        {"uid=\"ann\" ,o=x", "uid=ann ,o=x"},
        /* what follows the quotes: 389 DS skips it */
        {"uid=\"ann\"\"x\"", NULL},
        {"uid=\"ann\"x", NULL},
        {"uid=\"ann\"\\,o=x", NULL},
        {"uid=\"ann\" \\20,o=x", NULL},
        {"uid=\"ann\"  +cn=\"b\";o=x", "uid=ann  +cn=b;o=x"},
        {"uid=\"ann\",o=x y", "uid=ann,o=x y"},
        /* options of types (OpenLDAP); a semicolon elsewhere is a separator */
        {"uid;lang-en=ann;ou;x-a;x-b =y, o;binary=x", "uid=ann;ou=y, o=x"},
        {"uid=ann+ cn;x=b", "uid=ann+ cn=b"},
        {"uid=ann;;o=x", "uid=ann;;o=x"},
        {"uid=a;x", "uid=a;x"},
        {"uid=a\\;x=b", "uid=a\\;x=b"},
        {"uid;x", "uid"},
        /* backslashes that nothing needs (389 DS) */
        {"uid=\\an\\n,o=\\x", "uid=ann,o=x"},
        {"uid=\\z\\\\,o=\\g", "uid=z\\\\,o=g"},
        {"uid=\\e,o=x", "uid=e,o=x"},
        {"uid=\\4e\\,\\ \\#", "uid=\\4e\\,\\ \\#"},
        {"uid=ann\\", "uid=ann\\"},
        {"uid=\"a\\z\"", "uid=az"},
    };
    char plain[AS_DN_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof quoted / sizeof quoted[0]; i++) {
        const bool is = as_dn_read_dialect(quoted[i].text, strlen(quoted[i].text), plain);

        assert_int_equal(is, quoted[i].normal != NULL);
        if (is) {
            assert_string_equal(plain, quoted[i].normal);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normal_forms),
        cmocka_unit_test(a_normal_form_is_its_own),
        cmocka_unit_test(bounds),
        cmocka_unit_test(what_is_wrong_is_pointed_at),
        cmocka_unit_test(equality_for_certain),
        cmocka_unit_test(equality_and_parts),
        cmocka_unit_test(other_spellings_are_the_same),
        cmocka_unit_test(dialects_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
