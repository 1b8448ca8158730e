//! The main job from end to end: one list of assertions, held over the embedded cloud and over an emulator that knows
//! nothing of stackgen, with and without a look at who is calling.

mod forgery;
mod list;
mod remains;

use aws_config::SdkConfig;

use crate::project::{self, Project, STACK};
use crate::tools::{Auth, Ministack};

/// Who plays AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cloud {
    /// The one in the binary.
    Embedded,
    /// ministack 1.5.33. What it is known to do otherwise is said where it matters, with the word `ministack`.
    Ministack,
}

/// Where the list is run.
struct Stage {
    cloud: Cloud,
    project: Project,
    /// What SDK clients are made from.
    config: SdkConfig,
    _emulator: Option<Ministack>,
}

impl Stage {
    fn embedded(stack: &'static str) -> Self {
        let project = Project::local_with(stack);
        let config = project.local_config();
        Self { cloud: Cloud::Embedded, project, config, _emulator: None }
    }

    fn ministack(stack: &'static str, auth: Auth) -> Self {
        let emulator = Ministack::start(auth);
        let project = Project::at(stack, &emulator);
        let config = project::config(&emulator.environment());
        Self { cloud: Cloud::Ministack, project, config, _emulator: Some(emulator) }
    }
}

#[tokio::test]
async fn the_embedded_cloud_does_the_main_job() {
    list::run(&Stage::embedded(STACK)).await;
}

#[tokio::test]
async fn ministack_does_the_main_job() {
    list::run(&Stage::ministack(STACK, Auth::Off)).await;
}

#[tokio::test]
async fn ministack_that_looks_at_who_is_calling_does_the_main_job() {
    list::run(&Stage::ministack(STACK, Auth::Enforced)).await;
}
