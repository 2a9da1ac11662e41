<?php

// Writes a restore of each kind, and prints the id of each one's run by name, as JSON.

declare(strict_types=1);

$hours = 6;
require __DIR__ . '/models.php';

$proven = $restore(['applied', 'applied']);
$audit($proven, 'success');
$evidence($proven);

$named = $restore(['applied', 'applied']);
$audit($named, 'success');
$evidence($named);
$run = OperationRun::findOrFail($named->operation_run_id);
$run->context = ['restore_run_id' => $named->id, 'target_scope' => $scope];
$run->summary_counts = ['total' => 2];
$run->save();

$unproven = $restore(['applied', 'applied']);
$audit($unproven, 'success');

$mixed = $restore(['applied', 'failed'], ['status' => 'partial']);
$audit($mixed, 'partial');
$evidence($mixed);

$failed = $restore(['failed', 'failed'], ['status' => 'failed', 'failure_reason' => 'The tenant could not be reached.']);
$audit($failed, 'failure');

$blocked = $restore(['skipped', 'skipped'], ['status' => 'failed', 'failure_reason' => 'write_gate_blocked']);
$audit($blocked, 'blocked');

$preview = $restore(['dry_run', 'dry_run'], ['is_dry_run' => true]);

$deleted = $restore(['applied', 'applied']);
$audit($deleted, 'success');
$evidence($deleted);
$deleted->delete();

$executing = $restore(['applied', 'applied'], ['status' => 'running', 'results' => null, 'completed_at' => null]);

$restores = compact(
    'proven', 'named', 'unproven', 'mixed', 'failed', 'blocked', 'preview', 'deleted', 'executing'
);
echo json_encode(array_map(fn ($restore) => $restore->operation_run_id, $restores), JSON_THROW_ON_ERROR), "\n";
