#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "codec/datatype.h"

static float read_one(enum datatype type, const void *bytes)
{
    char unaligned[1 + DATATYPE_BYTES_MAX];
    float number = -1;
    memcpy(unaligned + 1, bytes, datatype_bytes(type));
    cr_assert_eq(datatype_read(type, unaligned + 1, 1, &number), 1);
    return number;
}

Test(datatype, names_and_sizes)
{
    static const struct {
        const char *name;
        size_t bytes;
    } known[] = {{"BOOL", 1},  {"INT8", 1},   {"INT16", 2},  {"INT32", 4},  {"INT64", 8},
                 {"UINT8", 1}, {"UINT16", 2}, {"UINT32", 4}, {"UINT64", 8}, {"FP16", 2},
                 {"BF16", 2},  {"FP32", 4},   {"FP64", 8}};
    enum datatype type;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        cr_assert(datatype_find(known[i].name, &type), "%s", known[i].name);
        cr_assert_str_eq(datatype_name(type), known[i].name);
        cr_assert_eq(datatype_bytes(type), known[i].bytes);
    }
    cr_assert_eq(sizeof known / sizeof known[0], DATATYPE_COUNT);
    cr_assert_not(datatype_find("BYTES", &type));
    cr_assert_not(datatype_find("fp32", &type));
    cr_assert_not(datatype_find("FP3", &type));
    cr_assert_not(datatype_find("", &type));
}

Test(datatype, whole_numbers_at_their_limits)
{
    cr_assert_eq(read_one(DATATYPE_INT8, &(int8_t){-128}), -128.0f);
    cr_assert_eq(read_one(DATATYPE_UINT8, &(uint8_t){255}), 255.0f);
    cr_assert_eq(read_one(DATATYPE_INT16, &(int16_t){INT16_MIN}), -32768.0f);
    cr_assert_eq(read_one(DATATYPE_UINT16, &(uint16_t){UINT16_MAX}), 65535.0f);
    cr_assert_eq(read_one(DATATYPE_INT32, &(int32_t){INT32_MIN}), -0x1p31f);
    cr_assert_eq(read_one(DATATYPE_UINT32, &(uint32_t){UINT32_MAX}), 0x1p32f);
    cr_assert_eq(read_one(DATATYPE_INT64, &(int64_t){INT64_MIN}), -0x1p63f);
    cr_assert_eq(read_one(DATATYPE_UINT64, &(uint64_t){UINT64_MAX}), 0x1p64f);
    cr_assert_eq(read_one(DATATYPE_INT32, &(int32_t){16777217}), 16777216.0f);
    cr_assert_eq(read_one(DATATYPE_BOOL, &(uint8_t){0}), 0.0f);
    cr_assert_eq(read_one(DATATYPE_BOOL, &(uint8_t){1}), 1.0f);
    cr_assert_eq(read_one(DATATYPE_BOOL, &(uint8_t){77}), 1.0f);
}

/* Every one of the 65536, against the sum of its bits. */
Test(datatype, half_precision)
{
    for (uint32_t bits = 0; bits < 65536; bits++) {
        float found = read_one(DATATYPE_FP16, &(uint16_t){(uint16_t)bits});
        double scale = 1, value = 0;
        uint32_t exponent = bits >> 10 & 31;
        for (uint32_t e = exponent ? exponent : 1; e < 25; e++)
            scale /= 2;
        for (uint32_t e = 25; e < exponent; e++)
            scale *= 2;
        value = (double)((bits & 1023) + (exponent ? 1024 : 0)) * scale;
        if (exponent == 31 && (bits & 1023)) {
            cr_assert(isnan(found));
            continue;
        }
        if (exponent == 31)
            value = INFINITY;
        cr_assert_eq(found, (float)(bits >> 15 ? -value : value), "%04x", bits);
        cr_assert_eq(signbit(found) != 0, bits >> 15, "%04x", bits);
    }
}

Test(datatype, upper_halves)
{
    cr_assert_eq(read_one(DATATYPE_BF16, &(uint16_t){0x3F80}), 1.0f);
    cr_assert_eq(read_one(DATATYPE_BF16, &(uint16_t){0xC049}), -3.140625f);
    cr_assert(isinf(read_one(DATATYPE_BF16, &(uint16_t){0x7F80})));
    cr_assert(isnan(read_one(DATATYPE_BF16, &(uint16_t){0x7FC0})));
}

Test(datatype, doubles_are_rounded_and_bounded)
{
    static const double good[] = {0.1, 1e-300, -3.4028235e38, INFINITY};
    static const double bad[] = {1, 2, 3.4028236e38, 4};
    float numbers[4];
    cr_assert_eq(datatype_read(DATATYPE_FP64, (const char *)good, 4, numbers), 4);
    cr_assert(numbers[0] == 0.1f && numbers[1] == 0.0f && numbers[2] == -3.4028235e38f &&
              isinf(numbers[3]));
    cr_assert_eq(datatype_read(DATATYPE_FP64, (const char *)bad, 4, numbers), 2);
    cr_assert(isnan(read_one(DATATYPE_FP64, &(double){NAN})));
}

Test(datatype, floats_keep_their_bits)
{
    static const uint32_t bits[] = {0x7FA00001, 0x80000000, 0x00000001, 0xFF800000};
    float numbers[4];
    cr_assert_eq(datatype_read(DATATYPE_FP32, (const char *)bits, 4, numbers), 4);
    cr_assert(memcmp(numbers, bits, sizeof bits) == 0);
}

Test(datatype, what_a_tensor_may_hold)
{
    cr_assert(datatype_holds(DATATYPE_FP32, 1.5f));
    cr_assert(datatype_holds(DATATYPE_FP16, 1e30f));
    cr_assert(datatype_holds(DATATYPE_BOOL, 1));
    cr_assert_not(datatype_holds(DATATYPE_BOOL, 2));
    cr_assert_not(datatype_holds(DATATYPE_BOOL, 0.5f));
    cr_assert(datatype_holds(DATATYPE_INT8, -128));
    cr_assert_not(datatype_holds(DATATYPE_INT8, -129));
    cr_assert_not(datatype_holds(DATATYPE_INT8, 128));
    cr_assert_not(datatype_holds(DATATYPE_UINT8, -1));
    cr_assert_not(datatype_holds(DATATYPE_INT64, 1.5f));
    cr_assert(datatype_holds(DATATYPE_INT64, 0x1p63f));
    cr_assert_not(datatype_holds(DATATYPE_INT64, 0x1p64f));
    cr_assert(datatype_holds(DATATYPE_UINT64, -0.0f));
}
