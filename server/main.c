#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "serve.h"
#include "server.h"

static int help(void)
{
    puts("relud: serves neural networks and knows which of their neurons are alive\n"
         "\n"
         "  relud [serve] [OPTIONS] [NAME=]PATH...   serve models; PATH is an .onnx file or a "
         "model directory\n"
         "  relud inspect [--json] PATH              signature, layers, activations, costs; no "
         "server\n"
         "  relud profile PATH --data F.npy|F.csv|- [--out SNAPSHOT.json]\n"
         "                                           run a data set through a model, offline; its "
         "statistics\n"
         "                                           (--json, --threads N, --batch N; what if: "
         "--activation\n"
         "                                           LAYER=NAME, --bias LAYER[UNITS]+=NUMBER)\n"
         "  relud compact PATH --stats SNAPSHOT.json --out SLIM.onnx\n"
         "                                           the model without its dead units, as ONNX "
         "(--proven-only,\n"
         "                                           --min-samples N, --fold, --data F, --json)\n"
         "  relud stats merge A.json B.json...       the snapshot of all, to standard output\n"
         "  relud stats diff BASELINE.json NOW.json  exit 1 when firing rates have shifted\n"
         "  relud healthcheck [URL]                  exit 0 when the server there is ready\n"
         "  relud --version | --help\n"
         "\n"
         "Options of serve; each is also an environment variable (--max-body-bytes: "
         "RELUD_MAX_BODY_BYTES):");
    options_help(stdout);
    return 0;
}

static int version(void)
{
    puts("relud " RELUD_VERSION);
    return 0;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    if (strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0)
        return help();
    if (strcmp(command, "--version") == 0)
        return version();
    if (strcmp(command, "inspect") == 0)
        return inspect(argc - 2, argv + 2);
    if (strcmp(command, "profile") == 0)
        return profile(argc - 2, argv + 2);
    if (strcmp(command, "compact") == 0)
        return compact(argc - 2, argv + 2);
    if (strcmp(command, "stats") == 0)
        return stats(argc - 2, argv + 2);
    if (strcmp(command, "healthcheck") == 0)
        return healthcheck(argc - 2, argv + 2);
    int skip = strcmp(command, "serve") == 0 ? 2 : 1;
    return serve(argc - skip, argv + skip);
}
