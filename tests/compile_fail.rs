//! No delete can be built without every id: each file beside this one must not compile, for the reason
//! that its `.stderr` gives.

#[test]
#[ignore = "the compiler's words are those of Rust 1.95; .ci/run asks for them"]
fn no_delete_can_be_built_without_every_id() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
