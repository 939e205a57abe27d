// The addon's entry: called once for each JavaScript environment (the main thread, each worker thread) that loads it.
#include "queue.hpp"
#include "zz_generated.hpp"

namespace statewright_node {
namespace {

Napi::Object load(Napi::Env env, Napi::Object exports) {
  if (environment::make(env)) {
    register_generated(env, exports);
    exports.Set("queueOpen", Napi::Function::New<queue_open>(env, "queueOpen"));
  } else {
    Napi::Error::New(env, "the addon could not be set up").ThrowAsJavaScriptException();
  }
  return exports;
}

} // namespace

NODE_API_MODULE(statewright, load)

} // namespace statewright_node
