/* process: what the operating system says of this process. */
#ifndef RELUD_PROCESS_H
#define RELUD_PROCESS_H

/* What is not known is NaN. */
struct process {
    double resident_bytes, cpu_seconds;
    double open_descriptors, most_descriptors;
};

void process_read(struct process *process);

#endif
