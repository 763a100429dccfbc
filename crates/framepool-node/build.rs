//! Link flags that a Node-API addon needs.

fn main() {
    napi_build::setup();
}
