//! Everything that is ever asked of a reader, by somebody who may see all workspaces and by somebody who may see
//! a tenth of them.

use jiff::SignedDuration;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::metadata_keys::MetadataKeys;
use reconciler_jobs::reading::result_state::ResultState;
use reconciler_jobs::restore_execute::facts::RunOutcome;
use reconciler_jobs::restore_execute::{Policy, ReasonCode};
use restore_reconciler::internals::storage::reader::{
    EnvironmentSeen, QueueScope, RestoreFilter, RestoreKind, RunFilter, Walk, Workspaces,
};
use restore_reconciler::internals::storage::{QueueState, StoreError};

use super::place::{Place, WORKSPACES, scope_of};
use crate::contract::filter;
use crate::support::case::restore_of;

/// An environment without restores, for which all there are would have to be looked through.
const NEVER_USED: EnvironmentId = EnvironmentId(5);

/// How many rows a page has.
const PAGE: u32 = 50;

/// Which pages are looked at.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pages {
    /// The first of each list, by somebody who may see a tenth of the workspaces. Where each reads tables from end to end,
    /// that is enough to see it.
    First,
    /// Those in the middle as well, and by somebody who may see all workspaces, too.
    All,
}

/// Looks at everything, with `run` as the one that is looked at closely.
pub(super) async fn look(place: &Place, run: i64, depth: Pages) -> Result<(), StoreError> {
    let (workspace, environment) = scope_of(run);
    let own = (0..WORKSPACES / 10).map(|offset| WorkspaceId(workspace + offset));
    let own = Workspaces::Only(own.collect());
    let viewers = match depth {
        Pages::First => vec![own],
        Pages::All => vec![Workspaces::All, own],
    };
    for of in &viewers {
        for filter in filters(workspace, environment) {
            pages(place, of, &filter, depth).await?;
        }
        rows(place, of, run).await?;
    }
    let restores = [
        RestoreFilter::default(),
        RestoreFilter {
            workspace: Some(WorkspaceId(workspace)),
            ..RestoreFilter::default()
        },
        RestoreFilter {
            environment: Some(EnvironmentId(environment)),
            ..RestoreFilter::default()
        },
        RestoreFilter {
            environment: Some(NEVER_USED),
            kind: Some(RestoreKind::Executed),
            ..RestoreFilter::default()
        },
        RestoreFilter {
            kind: Some(RestoreKind::WithoutRun),
            ..RestoreFilter::default()
        },
    ];
    for of in &viewers {
        for filter in &restores {
            let policy = Policy::default();
            let load = async |below| {
                (place.reader)
                    .load_restores(of, filter, below, PAGE, &policy)
                    .await
            };
            let first = load(None).await?;
            if let Pages::All = depth {
                load(first.below).await?;
            }
        }
    }
    place.reader.load_orphaned(None, PAGE).await?;
    let hour = SignedDuration::from_hours(1);
    for of in &viewers {
        place.reader.load_run_parts(of, hour).await?;
        place.reader.load_restore_parts(of).await?;
    }
    place.reader.load_workers(PAGE).await?;
    place.reader.now().await?;
    Ok(())
}

fn filters(workspace: i64, environment: i64) -> Vec<RunFilter> {
    vec![
        RunFilter::default(),
        filter(|it| it.workspace = Some(WorkspaceId(workspace))),
        filter(|it| it.environment = Some(EnvironmentId(environment))),
        filter(|it| it.outcome = Some(RunOutcome::Blocked)),
        filter(|it| it.reason = Some(ReasonCode::AuditMissing)),
        filter(|it| it.state = Some(ResultState::Failed)),
        filter(|it| it.undecided = true),
        filter(|it| it.upwards = true),
        filter(|it| (it.undecided, it.upwards) = (true, true)),
        filter(|it| (it.unproven, it.upwards) = (true, true)),
        filter(|it| it.unproven = true),
        filter(|it| it.orphaned = true),
    ]
}

/// One page, or two and one from the middle of all runs.
async fn pages(
    place: &Place,
    of: &Workspaces,
    filter: &RunFilter,
    depth: Pages,
) -> Result<(), StoreError> {
    let policy = Policy::default();
    let load = async |below| {
        (place.reader)
            .load_runs(of, filter, below, PAGE, &policy)
            .await
    };
    let first = load(None).await?;
    if let Pages::All = depth {
        load(first.below).await?;
        load(Some(RunId(500_000))).await?;
    }
    Ok(())
}

async fn rows(place: &Place, of: &Workspaces, run: i64) -> Result<(), StoreError> {
    let reader = &place.reader;
    let policy = Policy::default();
    let found = reader.load_run(of, RunId(run), &policy).await?;
    assert!(found.is_some());
    let restore = RestoreId(restore_of(run));
    let found = reader
        .load_restore(of, restore, &policy, &MetadataKeys::default())
        .await?;
    assert!(found.is_some());
    let environments = reader
        .load_environments(of, None, None, PAGE, &Policy::default())
        .await?;
    let known = |seen: &EnvironmentSeen| seen.latest.is_some() || seen.environment == NEVER_USED;
    assert!(environments.rows.iter().all(known));
    let walk = Walk {
        with_more: true,
        at_once: PAGE / 2,
        ..Walk::default()
    };
    let mut passed = 0;
    let mut visit = |_, part: Vec<EnvironmentSeen>| passed += part.len();
    let walked = reader
        .walk_environments(of, &walk, &Policy::default(), &mut visit)
        .await?;
    assert!(passed > 0 && walked.ended_before.is_none());
    let all: Vec<WorkspaceId> = (1..=WORKSPACES).map(WorkspaceId).collect();
    let verdicts = reader.load_recent_verdicts(of, &all, PAGE).await?;
    assert!(verdicts.len() >= PAGE as usize);
    let queue = QueueScope::for_viewer(of, &QueueState::ALL, PAGE);
    reader.load_queue(&queue).await?;
    reader.load_sweeps(of, PAGE).await?;
    reader.load_status(of).await?;
    reader.load_open_reasons(of).await?;
    Ok(())
}
