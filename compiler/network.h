/* network.h: what stands behind weft_network. Private to compiler/. */
#ifndef WEFT_COMPILER_NETWORK_H
#define WEFT_COMPILER_NETWORK_H

#include <pthread.h>
#include "graph.h"
#include "interp.h"
#include "weft_compiler.h"

struct weft_network {
    struct graph *graph; /* compilations read it and work on copies */
    pthread_mutex_t making; /* held while contents of its constants are made */
    char *path;
    struct interp_run run;
    bool interpreted; /* of weft_network_interpret: the values that weft_network_value lends */
    float **floats;   /* by value id: what weft_network_value made; NULL until asked for */
};

#endif
