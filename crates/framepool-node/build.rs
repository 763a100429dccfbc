//! Link flags that a Node-API addon needs.

fn main() {
    napi_build::setup();
    if std::env::var_os("CARGO_FEATURE_GUARD_PAGES").is_some() {
        // Memory that other crates unmap goes through `test_allocator`, too.
        println!("cargo::rustc-link-arg-cdylib=-Wl,--wrap=munmap");
    }
}
