/* .npy headers as NumPy writes them, and as nobody should. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "offline/npy.h"

struct file {
    uint8_t bytes[512];
    size_t count;
};

static struct file file_of(unsigned major, const char *header)
{
    const size_t length = strlen(header);
    struct file file = {.bytes = NPY_MAGIC};
    uint8_t *at = file.bytes + NPY_MAGIC_BYTES;
    *at++ = (uint8_t)major;
    *at++ = 0;
    for (unsigned i = 0; i < (major == 1 ? 2 : 4); i++)
        *at++ = (uint8_t)(length >> 8 * i);
    memcpy(at, header, length);
    file.count = (size_t)(at - file.bytes) + length;
    return file;
}

static enum status read_header(struct npy *npy, unsigned major, const char *header,
                               struct error *error)
{
    const struct file file = file_of(major, header);
    size_t length;
    cr_assert(npy_length(file.bytes, &length, error) == STATUS_OK, "%s", error->message);
    cr_assert_eq(length, file.count);
    return npy_read(npy, file.bytes, length, error);
}

Test(npy, reads_what_numpy_writes)
{
    static const char *const headers[] = {
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1797, 64), }          \n",
        "{\"shape\":(1797,64),\"fortran_order\":False,\"descr\":\"<f4\"}",
        " { 'shape' : ( 1797 , 64 , ) , 'descr' : '<f4' , 'fortran_order' : False , } ",
    };
    for (unsigned major = 1; major <= 3; major++)
        for (size_t i = 0; i < 3; i++) {
            struct npy npy;
            struct error error;
            cr_assert(read_header(&npy, major, headers[i], &error) == STATUS_OK, "%s: %s",
                      headers[i], error.message);
            cr_assert(npy.type == DATATYPE_FP32 && npy.rank == 2);
            cr_assert(npy.dims[0] == 1797 && npy.dims[1] == 64);
        }
}

Test(npy, knows_the_types)
{
    static const struct {
        const char *descr;
        enum datatype type;
    } cases[] = {{"|b1", DATATYPE_BOOL}, {"|u1", DATATYPE_UINT8}, {"<i2", DATATYPE_INT16},
                 {"<f2", DATATYPE_FP16}, {"<f8", DATATYPE_FP64},  {"<u8", DATATYPE_UINT64}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char header[128];
        struct npy npy;
        snprintf(header, sizeof header, "{'descr':'%s','fortran_order':False,'shape':(3,)}",
                 cases[i].descr);
        cr_assert(read_header(&npy, 1, header, NULL) == STATUS_OK);
        cr_assert(npy.type == cases[i].type && npy.rank == 1 && npy.dims[0] == 3);
    }
}

Test(npy, shapes)
{
    struct npy npy;
    cr_assert(read_header(&npy, 1, "{'descr':'<f4','fortran_order':False,'shape':()}", NULL) ==
              STATUS_OK);
    cr_assert_eq(npy.rank, 0);
    cr_assert(read_header(&npy, 1,
                          "{'descr':'<f4','fortran_order':False,'shape':(1,2,3,4,5,6,7,8)}",
                          NULL) == STATUS_OK);
    cr_assert(npy.rank == 8 && npy.dims[7] == 8);
}

Test(npy, refuses_the_rest)
{
    static const char *const cases[][2] = {
        {"{'descr':'>f4','fortran_order':False,'shape':(2,3)}", "found \">f4\""},
        {"{'descr':'<c8','fortran_order':False,'shape':(2,3)}", "found \"<c8\""},
        {"{'descr':'|O','fortran_order':False,'shape':(2,3)}", "found \"|O\""},
        {"{'descr':[('a','<f4')],'fortran_order':False,'shape':(2,3)}", "the name of one type"},
        {"{'descr':'<f4','fortran_order':True,'shape':(2,3)}", "found Fortran order"},
        {"{'descr':'<f4','fortran_order':0,'shape':(2,3)}", "fortran_order: expected True"},
        {"{'descr':'<f4','fortran_order':False,'shape':(2,-3)}", "shape: expected a tuple"},
        {"{'descr':'<f4','fortran_order':False,'shape':(2 3)}", "shape: expected a tuple"},
        {"{'descr':'<f4','fortran_order':False,'shape':[2,3]}", "shape: expected a tuple"},
        {"{'descr':'<f4','fortran_order':False,'shape':(2,3", "shape: expected a tuple"},
        {"{'descr':'<f4','fortran_order':False,'shape':(18446744073709551616,)}",
         "shape: expected a tuple"},
        {"{'descr':'<f4','fortran_order':False,'shape':(1,1,1,1,1,1,1,1,1)}", "at most 8"},
        {"{'descr':'<f4','fortran_order':False}", "expected a dictionary"},
        {"{'descr':'<f4','descr':'<f4','fortran_order':False,'shape':(2,3)}", "found \"descr\""},
        {"{'descr':'<f4','fortran_order':False,'shape':(2,3),'more':1}", "found \"more\""},
        {"{'descr':'<f4','fortran_order':False,'shape':(2,3)", "expected a dictionary"},
        {"{'descr':'<f4','fortran_order':False,'shape':(2,3)} x", "expected a dictionary"},
        {"{'descr:'<f4'", "expected \"key\": value"},
        {"", "expected a dictionary"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct npy npy;
        struct error error;
        cr_assert(read_header(&npy, 1, cases[i][0], &error) != STATUS_OK, "%s", cases[i][0]);
        cr_assert(strstr(error.message, cases[i][1]), "%s: %s", cases[i][0], error.message);
    }
}

Test(npy, refuses_other_versions_and_lengths)
{
    struct file file = file_of(1, "{}");
    struct error error;
    size_t length;
    file.bytes[6] = 4;
    cr_assert(npy_length(file.bytes, &length, &error) == STATUS_UNSUPPORTED);
    cr_assert(strstr(error.message, "found 4.0"), "%s", error.message);
    file = file_of(2, "{}");
    file.bytes[10] = 1; /* 65536 and 2 */
    cr_assert(npy_length(file.bytes, &length, &error) == STATUS_TOO_LARGE);
    file.bytes[8] = 0;
    cr_assert(npy_length(file.bytes, &length, &error) == STATUS_OK && length == 65536 + 12);
    file.bytes[0] = 'N';
    cr_assert(npy_length(file.bytes, &length, &error) == STATUS_INVALID);
}
