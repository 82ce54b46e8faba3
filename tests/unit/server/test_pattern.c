#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "pattern.h"

static bool is(const struct capture *capture, const char *text)
{
    if (!text || !capture->text)
        return !text && !capture->text;
    return capture->length == strlen(text) && memcmp(capture->text, text, capture->length) == 0;
}

Test(pattern, paths_that_fit)
{
    static const struct {
        const char *pattern, *path, *model, *version;
    } cases[] = {
        {"/stats", "/stats", NULL, NULL},
        {"/", "/", NULL, NULL},
        {"/web/{f}", "/web/app.js", NULL, NULL},
        {"/m/{m}", "/m/digits", "digits", NULL},
        {"/m/{m}/infer", "/m/infer/infer", "infer", NULL},
        {"/m/{m}/infer", "/m/a b\xff{m}/infer", "a b\xff{m}", NULL},
        {"/m/{m}[/versions/{v}]", "/m/x", "x", NULL},
        {"/m/{m}[/versions/{v}]", "/m/x/versions/3", "x", "3"},
        {"/m/{m}[/versions/{v}]/infer", "/m/x/infer", "x", NULL},
        {"/m/{m}[/versions/{v}]/infer", "/m/x/versions/12/infer", "x", "12"},
        {"/m/{m}[/versions/{v}]/infer", "/m/versions/infer", "versions", NULL},
        {"/m/{m}[/versions/{v}]/infer", "/m/versions/versions/infer/infer", "versions", "infer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct captures captures;
        cr_assert(pattern_fits(cases[i].pattern, cases[i].path, &captures), "%s", cases[i].path);
        cr_assert(is(&captures.model, cases[i].model), "%s", cases[i].path);
        cr_assert(is(&captures.version, cases[i].version), "%s", cases[i].path);
    }
}

Test(pattern, paths_that_do_not)
{
    static const struct {
        const char *pattern, *path;
    } cases[] = {
        {"/stats", "/stat"},
        {"/stats", "/stats/"},
        {"/stats", "/statsx"},
        {"/stats", ""},
        {"/m/{m}", "/m/"},
        {"/m/{m}", "/m"},
        {"/m/{m}", "/m/x/"},
        {"/m/{m}", "/m//x"},
        {"/m/{m}/infer", "/m//infer"},
        {"/m/{m}/infer", "/m/x/infe"},
        {"/m/{m}[/versions/{v}]", "/m/x/versions/"},
        {"/m/{m}[/versions/{v}]", "/m/x/versions"},
        {"/m/{m}[/versions/{v}]/infer", "/m/x/versions/1"},
        {"/m/{m}[/versions/{v}]/infer", "/m/x/versions//infer"},
        {"/m/{m}[/versions/{v}]/infer", "/m/x/versions/1/2/infer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct captures captures;
        cr_assert_not(pattern_fits(cases[i].pattern, cases[i].path, &captures), "%s on %s",
                      cases[i].pattern, cases[i].path);
    }
}
