dnl SPDX-License-Identifier: Apache-2.0
dnl
dnl AUTHSTATUS_A2MODS
dnl
dnl Sets a2modsdir, where Debian's a2enmod looks for authstatus.load and authstatus.conf, and the conditional A2MODS: there
dnl is such a place. Comes after AUTHSTATUS_HTTPD.

AC_DEFUN([AUTHSTATUS_A2MODS],[
AC_ARG_WITH([a2mods],
    [AS_HELP_STRING([--with-a2mods=DIR|no],
        [where a2enmod finds modules @<:@mods-available in httpd's sysconfdir, if that is there@:>@])],
    [],[with_a2mods=auto])
AS_CASE([$with_a2mods],
    [auto | yes],[
        a2modsdir=`"$APXS" -q SYSCONFDIR`/mods-available
        AS_IF([test ! -d "$a2modsdir"],[
            AS_IF([test "x$with_a2mods" = xyes],
                [AC_MSG_ERROR([there is no $a2modsdir; say --with-a2mods=DIR])])
            a2modsdir=no])],
    [a2modsdir=$with_a2mods])
AC_SUBST([a2modsdir])
AM_CONDITIONAL([A2MODS],[test "x$a2modsdir" != xno])
])
