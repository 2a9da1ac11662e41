<?php

// Writes restores of which the platform itself closes every other run, and prints the ids of runs by kind, as JSON.

declare(strict_types=1);

use Illuminate\Support\Carbon;

$hours = 20;
require __DIR__ . '/models.php';

/** Closes a restore's run as the platform does, a moment after the restore's end or when a healer finds it. */
$close = function (?RestoreRun $restore, OperationRun $run, string $outcome, string $code): int {
    $named = $restore === null ? [] : ['restore_run_id' => $restore->id];
    $run->update([
        'status' => 'completed', 'outcome' => $outcome, 'completed_at' => Carbon::now(),
        'context' => $named + ['reconciliation' => ['reason_code' => $code, 'source' => 'listener']],
    ]);

    return $run->id;
};
$listener = fn (RestoreRun $restore, string $outcome): int => $close(
    $restore, OperationRun::findOrFail($restore->operation_run_id), $outcome, 'restore.completed'
);

$runs = [];
foreach (range(1, 3) as $_) {
    $restored = $restore(['applied', 'applied']);
    $audit($restored, 'success');
    $runs['lies'][] = $listener($restored, 'succeeded');

    $restored = $restore(['applied', 'failed'], ['status' => 'partial']);
    $audit($restored, 'partial');
    $runs['lies'][] = $listener($restored, 'succeeded');
    $evidence($restored);

    $restored = $restore(['applied', 'applied']);
    $runs['lies'][] = $listener($restored, 'succeeded');
    $evidence($restored);

    $restored = $restore(['applied', 'applied']);
    $audit($restored, 'success');
    $runs['honest'][] = $listener($restored, 'succeeded');
    $evidence($restored);

    $restored = $restore(['applied', 'applied']);
    $audit($restored, 'success');
    $runs['aged'][] = $listener($restored, 'succeeded');
    $evidence($restored);
    EvidenceSnapshot::where('operation_run_id', $restored->operation_run_id)
        ->update(['expires_at' => Carbon::now()->addMinutes(5)]);

    $restored = $restore(['applied', 'applied']);
    $audit($restored, 'success');
    $runs['partial'][] = $listener($restored, 'partially_succeeded');

    $restored = $restore(['applied', 'applied'], ['status' => 'running', 'results' => null, 'completed_at' => null]);
    $run = OperationRun::findOrFail($restored->operation_run_id);
    $runs['healed'][] = $close($restored, $run, 'failed', 'run.stale_running');

    $run = OperationRun::create($scope + [
        'initiator_name' => 'A. Operator', 'type' => 'restore.execute', 'run_identity_hash' => bin2hex(random_bytes(16)),
    ]);
    $runs['alone'][] = $close(null, $run, 'succeeded', 'restore.completed');

    foreach (range(1, 8) as $_) {
        $restored = $restore(['applied', 'applied']);
        $audit($restored, 'success');
        $evidence($restored);
        $runs['open'][] = $restored->operation_run_id;
    }
}
echo json_encode($runs, JSON_THROW_ON_ERROR), "\n";
