//! No delete can be built without every id: each file beside this one must not compile.

#[test]
fn no_delete_can_be_built_without_every_id() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
