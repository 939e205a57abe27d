#ifndef STATEWRIGHT_NODE_QUEUE_HPP
#define STATEWRIGHT_NODE_QUEUE_HPP

#include <napi.h>

namespace statewright_node {

/// `queueOpen(deliver)`: opens a completion queue, whose completions `deliver` is called with, an array at a time.
/// Returns `{ cq, hold(), release() }`: the queue's handle, and what keeps the event loop alive or lets it end.
Napi::Value queue_open(const Napi::CallbackInfo &info);

} // namespace statewright_node

#endif
