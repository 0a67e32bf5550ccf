//! `overparam completions` and `overparam manual`

use super::CommandLine;
use anyhow::{Context, Result};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use overparam::Error;
use overparam::output::Output;
use std::io::{self, Write};
use std::path::PathBuf;

/// The name of the program.
const PROGRAM: &str = "overparam";

/// Print a script by which a shell completes commands and options.
///
/// In bash: `source <(overparam completions bash)`, for all sessions in ~/.bashrc.
#[derive(Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub fn execute(self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut CommandLine::command(), PROGRAM, &mut script);
        io::stdout().write_all(&script).context("cannot print to standard output")
    }
}

/// Write the manual as pages for man: one for the program, one for every command.
///
/// In a folder that man searches, such as ~/.local/share/man/man1, `man overparam-run` then shows one.
#[derive(Args)]
pub struct Manual {
    /// The folder of the pages, which is created
    folder: PathBuf,
}

impl Manual {
    pub fn execute(self) -> Result<()> {
        let mut program = CommandLine::command();
        program.build();
        let commands = program.get_subcommands().filter(|command| command.get_name() != "help");
        let pages: Vec<&clap::Command> = std::iter::once(&program).chain(commands).collect();
        for &command in &pages {
            let name = command.get_display_name().unwrap_or(PROGRAM);
            let mut text = Vec::new();
            clap_mangen::Man::new(command.clone()).render(&mut text).context("cannot write a page")?;
            let page = Output::prepare(self.folder.join(format!("{name}.1")))?;
            page.write(|sink| {
                sink.write_all(&text).map_err(|source| Error::File {
                    action: "write",
                    path: page.path().to_owned(),
                    source,
                })
            })?;
        }
        say!("{} pages in {}", pages.len(), self.folder.display());
        Ok(())
    }
}
