//! `stackgen bundle`: functions are built for AWS, and the cloud assembly is complete.

use clap::Args;
use serde_json::{Value, json};
use stackgen::assembly::{self, Format};
use stackgen::bundle::{Asset, Purpose};

use super::output::{bold, dim};
use super::plan::{self, Planned};
use super::{Outcome, Session, Table, block_on};

/// Arguments of `stackgen bundle`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Names of the stacks; all of the project when absent.
    #[arg(value_name = "STACK")]
    stacks: Vec<String>,
}

impl Arguments {
    /// Builds, and writes the assembly.
    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let project = session.project()?;
        let names = session.stacks(&project, &self.stacks)?;
        let planned = plan::synthesize(plan::read(session, &project, &names)?)?;
        let built = block_on(plan::bundle(session, &project, &planned, Purpose::Deploy))?;
        assembly::write(&project.out(), &plan::assembled_with_code(&planned, &built), Format::Json)?;
        let told: Vec<Value> = planned.iter().zip(&built).map(|(planned, assets)| document(planned, assets)).collect();
        session.screen.answer(&json!({ "folder": project.out(), "stacks": told }), || table(&planned, &built));
        Ok(())
    }
}

fn document(planned: &Planned, assets: &[Asset]) -> Value {
    let functions: Vec<Value> = assets
        .iter()
        .map(|asset| json!({ "function": asset.id, "key": asset.key(), "file": asset.file, "bytes": asset.size }))
        .collect();
    json!({ "stack": planned.file.name, "functions": functions })
}

fn table(planned: &[Planned], built: &[Vec<Asset>]) -> String {
    let mut table = Table::new(["stack", "function", "size", "zip"]);
    for (planned, assets) in planned.iter().zip(built) {
        for asset in assets {
            let file = asset.file.file_name().unwrap_or_default().to_string_lossy();
            table.row([planned.file.name.clone(), bold(&asset.id), size(asset.size), dim(file)]);
        }
    }
    if table.is_empty() { "no function has code to build".to_owned() } else { table.to_string() }
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    match bytes {
        ..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_readable() {
        assert_eq!(size(1), "1 kB");
        assert_eq!(size(999_999), "1000 kB");
        assert_eq!(size(12_345_678), "12.3 MB");
    }
}
