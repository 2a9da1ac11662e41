//! Row security and views, through which rows that prove may be hidden.

use restore_reconciler::internals::doctor::Level;
use restore_reconciler::internals::storage::{Store, Trust};

use super::{
    Check, about, action, assert_finds, assert_level, assert_serves, examine, follow, pass,
    plant_one, problems, subjects,
};
use crate::support::role::Role;
use crate::support::roles::Purpose;
use crate::support::store::{Fixture, open_as, open_trusting};

const NOW_TRUST: &str = "write row_security = \"trusted\" into [database] of the configuration";

async fn prepared() -> Fixture {
    let on = Fixture::postgres().await;
    plant_one(&on).await;
    on
}

async fn trusting(on: &Fixture) -> Store {
    let trust = Trust {
        row_security: true,
        ..Trust::default()
    };
    open_trusting(&on.url, trust).await
}

#[tokio::test]
async fn without_row_security_there_is_nothing_to_do() {
    let on = prepared().await;
    let checks = examine(&on.store).await;
    assert_level(&checks, "row security", Level::Good);
}

/// A policy for the role, and somebody who vouches for it, are enough; what is printed is that policy.
#[tokio::test]
async fn policies_are_named_and_what_is_printed_ends_the_doubt() {
    let on = prepared().await;
    on.execute(
        "ALTER TABLE restore_runs ENABLE ROW LEVEL SECURITY;
         CREATE POLICY tenants ON restore_runs USING (workspace_id = 1);
         CREATE POLICY others ON restore_runs TO platform USING (true)",
    )
    .await;
    let subject = "row security of restore_runs";
    let checks = examine(&on.store).await;
    assert_eq!(subjects(&checks, Level::Problem), [subject]);
    assert_finds(
        &checks,
        subject,
        "role reconciler (policies tenants) and may hide rows",
    );
    let advice = action(&checks, subject);
    assert!(advice.contains(NOW_TRUST), "{advice}");
    assert!(
        advice.contains("ALTER ROLE reconciler BYPASSRLS;"),
        "{advice}"
    );
    let trusting = trusting(&on).await;
    assert_level(&examine(&trusting).await, subject, Level::Advice);

    follow(&on, &checks, subject).await;
    let checks = examine(&on.store).await;
    assert_finds(&checks, subject, "(policies restore_reconciler, tenants)");
    assert!(action(&checks, subject).starts_with("Write row_security"));
    let checks = assert_serves(&trusting).await;
    assert_level(&checks, subject, Level::Good);
}

/// Runs may be a view, which passes on what its tables hide from whoever asks.
#[tokio::test]
async fn what_is_hidden_beneath_a_view_of_runs_is_advice() {
    let on = prepared().await;
    on.execute(
        "ALTER TABLE operation_runs RENAME TO all_runs;
         CREATE VIEW some_runs WITH (security_invoker = true) AS SELECT * FROM all_runs;
         CREATE VIEW operation_runs WITH (security_invoker = true) AS SELECT * FROM some_runs;
         GRANT SELECT, UPDATE ON all_runs, some_runs, operation_runs TO reconciler;
         GRANT SELECT ON all_runs, some_runs, operation_runs TO migrator",
    )
    .await;
    assert_eq!(problems(&examine(&on.store).await), Vec::<&Check>::new());
    on.execute(
        "ALTER TABLE all_runs ENABLE ROW LEVEL SECURITY;
         CREATE POLICY tenants ON all_runs USING (workspace_id = 2)",
    )
    .await;
    let subject = "row security beneath operation_runs";
    let checks = examine(&on.store).await;
    assert_level(&checks, subject, Level::Advice);
    assert_finds(
        &checks,
        subject,
        "public.all_runs (policies tenants) may hide runs from role reconciler",
    );
    follow(&on, &checks, subject).await;
    let checks = examine(&on.store).await;
    assert_eq!(
        subjects(&checks, Level::Advice)
            .iter()
            .find(|it| **it == subject),
        None
    );
    assert_serves(&on.store).await;
}

#[tokio::test]
async fn a_role_that_no_policy_binds_is_shown_everything() {
    let on = prepared().await;
    let role = Role::new(&on, "LOGIN").await;
    let quoted = &role.quoted;
    on.execute(&format!(
        "GRANT reconciler TO {quoted};
         ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY"
    ))
    .await;
    let worker = role.store().await;
    let checks = examine(&worker).await;
    let subject = "row security of audit_logs";
    assert_finds(&checks, subject, "(no policy) and may hide rows");
    on.execute_as_superuser(&format!("ALTER ROLE {quoted} BYPASSRLS"))
        .await;
    let checks = assert_serves(&worker).await;
    assert_level(&checks, "row security", Level::Good);
}

/// No policy opens what a restrictive one closes.
#[tokio::test]
async fn a_restrictive_policy_is_not_to_be_opened_by_another() {
    let on = prepared().await;
    on.execute(
        "ALTER TABLE backup_sets ENABLE ROW LEVEL SECURITY;
         CREATE POLICY all_rows ON backup_sets TO reconciler USING (true);
         CREATE POLICY tenants ON backup_sets AS RESTRICTIVE USING (workspace_id = 1)",
    )
    .await;
    let checks = examine(&on.store).await;
    let advice = action(&checks, "row security of backup_sets");
    assert!(
        advice.starts_with("ALTER ROLE reconciler BYPASSRLS;"),
        "{advice}"
    );
    assert!(advice.contains("tenants"), "{advice}");
}

/// One that is about additions takes nothing away from whoever reads.
#[tokio::test]
async fn a_restrictive_policy_for_another_command_hides_nothing() {
    let on = prepared().await;
    on.execute(
        "ALTER TABLE backup_sets ENABLE ROW LEVEL SECURITY;
         CREATE POLICY all_rows ON backup_sets TO reconciler USING (true);
         CREATE POLICY adds ON backup_sets AS RESTRICTIVE FOR INSERT WITH CHECK (workspace_id = 1);
         CREATE POLICY drops ON backup_sets AS RESTRICTIVE FOR DELETE USING (workspace_id = 1);
         ALTER TABLE backup_items ENABLE ROW LEVEL SECURITY;
         CREATE POLICY drops ON backup_items AS RESTRICTIVE FOR DELETE USING (id > 9);
         ALTER TABLE operation_runs ENABLE ROW LEVEL SECURITY;
         CREATE POLICY all_rows ON operation_runs TO reconciler, migrator USING (true);
         CREATE POLICY drops ON operation_runs AS RESTRICTIVE FOR DELETE USING (workspace_id = 1)",
    )
    .await;
    let checks = examine(&on.store).await;
    for table in ["backup_sets", "operation_runs"] {
        let advice = action(&checks, &format!("row security of {table}"));
        assert!(advice.starts_with("Write row_security"), "{advice}");
    }
    // What hides all rows can be opened by another policy.
    let subject = "row security of backup_items";
    let advice = action(&checks, subject);
    assert!(
        advice.starts_with("CREATE POLICY restore_reconciler ON"),
        "{advice}"
    );
    follow(&on, &checks, subject).await;
    let trusting = trusting(&on).await;
    assert_serves(&trusting).await;

    on.execute("CREATE POLICY later ON operation_runs AS RESTRICTIVE FOR UPDATE USING (id > 9)")
        .await;
    let checks = examine(&trusting).await;
    let subject = "locks on operation_runs";
    assert_level(&checks, subject, Level::Problem);
    let advice = action(&checks, subject);
    assert!(
        advice.contains("BYPASSRLS") && advice.contains(" later,"),
        "{advice}"
    );
    // It is the owner's reading that requests rest on.
    let subject = "rights of reconciler.request";
    assert_level(&checks, subject, Level::Good);
    on.execute(
        "CREATE POLICY few ON operation_runs AS RESTRICTIVE FOR SELECT TO migrator USING (id > 9)",
    )
    .await;
    assert_level(&examine(&trusting).await, subject, Level::Problem);
}

/// Whoever adds to a view takes the next number from the sequence of its table.
#[tokio::test]
async fn the_sequence_behind_a_view_of_the_audit_log_is_granted() {
    let on = prepared().await;
    on.execute(
        "ALTER TABLE audit_logs RENAME TO logs_kept;
         CREATE VIEW public.logs_seen AS SELECT * FROM logs_kept;
         CREATE VIEW public.audit_logs AS SELECT * FROM logs_seen;
         GRANT SELECT, INSERT ON public.audit_logs TO reconciler;
         REVOKE ALL ON SEQUENCE audit_logs_id_seq FROM reconciler",
    )
    .await;
    let trusting = trusting(&on).await;
    let checks = examine(&trusting).await;
    let subject = "privileges on audit_logs";
    assert_eq!(subjects(&checks, Level::Problem), [subject]);
    let tally = pass(&trusting).await;
    assert!(tally.is_err() || tally.is_ok_and(|tally| tally.verdicts() == 0));
    follow(&on, &checks, subject).await;
    on.execute("TRUNCATE reconciler.watch_list").await;
    assert_serves(&trusting).await;
}

/// Whoever writes no verdict is not told what may be hidden from him.
#[tokio::test]
async fn row_security_is_nobodys_affair_but_the_workers() {
    let on = prepared().await;
    on.set_up_queue().await;
    on.execute("ALTER TABLE restore_runs ENABLE ROW LEVEL SECURITY")
        .await;
    let subject = "row security of restore_runs";
    assert_level(&examine(&on.store).await, subject, Level::Problem);
    let console = open_as(Purpose::Console, &on.url).await;
    let platform = open_as(Purpose::Platform, &on.url).await;
    for store in [&console, &platform, &on.migrator().await] {
        let checks = examine(store).await;
        assert!(
            checks.iter().all(|check| check.subject != subject),
            "{checks:#?}"
        );
        assert_eq!(problems(&checks), Vec::<&Check>::new());
    }
}

/// `FOR UPDATE SKIP LOCKED` passes over a row that may be read and not changed, so no verdict can be written.
#[tokio::test]
async fn runs_that_may_be_seen_and_not_locked_are_pointed_out() {
    let on = prepared().await;
    on.execute(
        "ALTER TABLE operation_runs ENABLE ROW LEVEL SECURITY;
         CREATE POLICY sees ON operation_runs FOR SELECT TO reconciler, migrator USING (true)",
    )
    .await;
    let trusting = trusting(&on).await;
    let checks = examine(&trusting).await;
    assert_level(&checks, "row security of operation_runs", Level::Good);
    let subject = "locks on operation_runs";
    assert_level(&checks, subject, Level::Problem);
    assert_finds(&checks, subject, "every verdict is refused");
    let tally = pass(&trusting).await.expect("a sweep");
    assert_eq!(tally.refused, 1, "it is seen, and cannot be locked");

    on.execute("CREATE POLICY old ON operation_runs FOR UPDATE TO reconciler USING (id > 9)")
        .await;
    let checks = examine(&trusting).await;
    assert_level(&checks, subject, Level::Advice);
    follow(&on, &checks, subject).await;
    // It would be looked at again later, as every run that is refused.
    on.execute("TRUNCATE reconciler.watch_list").await;
    let checks = assert_serves(&trusting).await;
    assert!(checks.iter().all(|check| check.subject != subject));
}

#[tokio::test]
async fn a_view_of_the_runs_is_good_where_it_can_be_locked_and_others_are_vouched_for() {
    let on = prepared().await;
    let view = "ALTER TABLE operation_runs RENAME TO runs_kept;
         CREATE VIEW public.operation_runs AS SELECT * FROM runs_kept;
         GRANT SELECT, UPDATE ON public.operation_runs TO reconciler;
         GRANT SELECT ON public.operation_runs TO migrator";
    on.execute(view).await;
    assert_serves(&on.store).await;

    on.execute("CREATE OR REPLACE VIEW public.operation_runs AS SELECT DISTINCT * FROM runs_kept")
        .await;
    let checks = examine(&on.store).await;
    assert_finds(&checks, "table operation_runs", "its rows cannot be locked");

    on.execute(
        "CREATE OR REPLACE VIEW public.operation_runs AS SELECT * FROM runs_kept;
         ALTER TABLE restore_runs RENAME TO restores_kept;
         CREATE VIEW public.restore_runs AS SELECT * FROM restores_kept;
         GRANT SELECT ON public.restore_runs TO reconciler",
    )
    .await;
    let checks = examine(&on.store).await;
    let subject = "view restore_runs";
    assert_eq!(subjects(&checks, Level::Problem), [subject]);
    assert_finds(
        &checks,
        subject,
        "may hide rows, and with them contrary proof",
    );
    assert!(action(&checks, subject).contains(NOW_TRUST));
    let checks = examine(&trusting(&on).await).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    assert_eq!(about(&checks, subject).level, Level::Good);
}
