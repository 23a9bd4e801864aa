//! `docs/operations.md`: its commands, in its order, on a machine that has never seen the package.

use crate::machine::{FILES, KEY, Machine};

/// The commands of the chapter for strangers: the lines of its code blocks.
fn commands() -> Vec<String> {
    let text = include_str!("../../docs/operations.md");
    let at = text
        .find("\n## From the package to the first sweep\n")
        .expect("the chapter");
    let chapter = &text[at + 1..];
    let chapter = &chapter[..chapter.find("\n## ").unwrap_or(chapter.len())];
    let blocks = chapter.split("```").skip(1).step_by(2);
    blocks
        .flat_map(|block| block.lines().skip(1))
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| line.split("  #").next().unwrap_or(line).trim().to_owned())
        .collect()
}

#[test]
#[ignore = "needs systemd, cargo-deb, curl, root"]
fn the_documented_commands_lead_from_the_package_to_a_first_sweep() {
    let machine = Machine::boot();
    let commands = commands();
    assert!((5..10).contains(&commands.len()), "{commands:#?}");
    // What a stranger brings along: the package, the key, the list of uploads.
    machine.write("/root/api-key", &format!("{KEY}\n"));
    for command in &commands {
        machine.run(command);
        if command.starts_with("apt") {
            assert_eq!(
                machine.show("ActiveState"),
                "inactive",
                "installing starts nothing"
            );
            machine.start_sandbox("");
        }
        if command.contains(" init ") {
            // Where the document says to edit: another server, and no waiting until three in the morning.
            machine.run("sed -i -e 's#^\\[extracta\\]#&\\nbase_url = \"http://127.0.0.1:8700/api/v1\"\\nresults_interval = \"0s\"#' -e 's/^schedule .*/schedule = \"* * * * * *\"/' /etc/retentiond/policies.toml");
        }
        if command.contains("plan") {
            assert_eq!(
                machine.deleted(),
                0,
                "as long as the policy observes, nothing goes"
            );
        }
    }
    machine.assert_end();
    let status = machine.status();
    assert_eq!(status["policies"][0]["mode"], "enforce", "{status}");
    assert_eq!(
        status["files"]["deleted"].as_u64(),
        Some(FILES as u64),
        "{status}"
    );
}
