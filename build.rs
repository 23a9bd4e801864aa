//! Compiles SQLite's checksum VFS against the SQLite that `libsqlite3-sys` bundles, and strips a release.

fn main() {
    let source = "vendor/sqlite/cksumvfs.c";
    println!("cargo:rerun-if-changed={source}");
    println!("cargo:rerun-if-env-changed=DEP_SQLITE3_INCLUDE");
    let include =
        std::env::var("DEP_SQLITE3_INCLUDE").expect("libsqlite3-sys says where its bundled sqlite3.h lies");
    cc::Build::new()
        .file(source)
        .include(include)
        .define("SQLITE_CORE", None)
        .define("SQLITE_CKSUMVFS_STATIC", None)
        .define("NDEBUG", None)
        // Its warnings are its authors'.
        .warnings(false)
        .compile("cksumvfs");
    let is = |name, value| std::env::var(name).is_ok_and(|is| is == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        println!("cargo:rustc-link-arg-bins=-Wl,--strip-all");
    }
}
