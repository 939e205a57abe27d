/// @file
/// Statewright for C++17: durable state and durable workflows in one library.
///
///     #include <statewright/statewright.hpp>
///
///     auto db = statewright::engine::open("my.store");
///     db.kv().put("greeting", "hello");
///     db.transact([](statewright::txn &txn) {
///       auto n = txn.json().get("counter", ".n");
///       txn.json().set("counter", ".n", n ? n->as_int64().value_or(0) + 1 : 1);
///     });
///
/// - `engine` is the way in; `txn`, `queue` and `worker` come from it or go with it. They are move-only and end what they
///   own when they go. A call on something that has ended is an `error`, never undefined behaviour of the library.
/// - `value` is what keys, documents, inputs and results hold; `from_json` and `to_json` turn it from and into text. A
///   `document` is a value that the library holds, with `query`, `schema`, patches and comparison.
/// - Failures throw `error`. In `statewright::nothrow` the same names give a `result<T>` instead; that works with
///   exceptions switched off, too. (What the standard library throws by itself, such as `std::bad_alloc`, is thrown.)
/// - Threads: an `engine` and a `queue` may be used by any number, a `txn` by one at a time, a `value` as a container.
/// - Everything is inline, on top of `statewright.h`; link `statewright::cpp` in CMake.
#ifndef STATEWRIGHT_STATEWRIGHT_HPP
#define STATEWRIGHT_STATEWRIGHT_HPP

#include <statewright/codec.hpp>
#include <statewright/document.hpp>
#include <statewright/engine.hpp>
#include <statewright/error.hpp>
#include <statewright/flow.hpp>
#include <statewright/flowtest.hpp>
#include <statewright/list.hpp>
#include <statewright/query.hpp>
#include <statewright/queue.hpp>
#include <statewright/records.hpp>
#include <statewright/schema.hpp>
#include <statewright/store.hpp>
#include <statewright/value.hpp>
#include <statewright/worker.hpp>

#endif
