#include "output.h"

#include <stdio.h>

enum status output_flush(struct error *error)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_OK;
    return error_set(error, STATUS_IO, "standard output cannot be written");
}

enum status output_print(struct text *text, struct error *error)
{
    enum status status = STATUS_OK;
    if (text->failed)
        status = error_set(error, STATUS_OUT_OF_MEMORY, "no memory left for the answer");
    else
        fwrite(text->bytes, 1, text->count, stdout);
    text_free(text);
    return status == STATUS_OK ? output_flush(error) : status;
}
