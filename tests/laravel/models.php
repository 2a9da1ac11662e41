<?php

// The platform's models, and what writes restores as its jobs do: some hours pass from the first to the last.

declare(strict_types=1);

use Illuminate\Database\Eloquent\Model;
use Illuminate\Database\Eloquent\SoftDeletes;
use Illuminate\Support\Carbon;

require __DIR__ . '/platform.php';

/** @var int $hours how long ago the first restore was */
abstract class Row extends Model
{
    protected $guarded = [];
}

class Workspace extends Row
{
}

class ManagedEnvironment extends Row
{
    use SoftDeletes;
}

class OperationRun extends Row
{
    protected $casts = [
        'summary_counts' => 'array',
        'failure_summary' => 'array',
        'context' => 'array',
        'started_at' => 'datetime',
        'completed_at' => 'datetime',
    ];

    // What a model begins with: PHP has one kind of array, and writes an empty one as a list.
    protected $attributes = [
        'summary_counts' => '[]',
        'failure_summary' => '[]',
        'context' => '[]',
    ];
}

class BackupSet extends Row
{
    use SoftDeletes;

    protected $casts = ['metadata' => 'array', 'completed_at' => 'datetime'];
}

class BackupItem extends Row
{
    use SoftDeletes;

    protected $casts = [
        'payload' => 'array',
        'assignments' => 'array',
        'metadata' => 'array',
        'captured_at' => 'datetime',
    ];
}

class RestoreRun extends Row
{
    use SoftDeletes;

    protected $casts = [
        'is_dry_run' => 'boolean',
        'requested_items' => 'array',
        'group_mapping' => 'array',
        'preview' => 'array',
        'results' => 'array',
        'metadata' => 'array',
        'started_at' => 'datetime',
        'completed_at' => 'datetime',
    ];
}

class EvidenceSnapshot extends Row
{
    protected $casts = ['summary' => 'array', 'generated_at' => 'datetime', 'expires_at' => 'datetime'];
}

class AuditLog extends Row
{
    public $timestamps = false;

    protected $casts = ['metadata' => 'array', 'recorded_at' => 'datetime'];
}

/** So many minutes go by. */
function later(int $minutes): Carbon
{
    Carbon::setTestNow(Carbon::now()->addMinutes($minutes));

    return Carbon::now();
}

Carbon::setTestNow(Carbon::now()->subHours($hours));
$workspace = Workspace::create(['name' => 'Contoso']);
$environment = ManagedEnvironment::create(['workspace_id' => $workspace->id, 'name' => 'Production']);
$scope = ['workspace_id' => $workspace->id, 'managed_environment_id' => $environment->id];
$set = BackupSet::create($scope + [
    'name' => 'Nightly', 'status' => 'completed', 'completed_at' => later(5), 'metadata' => ['item_count' => 2],
]);
$items = collect(['deviceConfiguration', 'compliancePolicy'])->map(fn ($type) => BackupItem::create([
    'backup_set_id' => $set->id, 'policy_type' => $type, 'payload' => ['displayName' => $type],
    'assignments' => [], 'metadata' => [], 'captured_at' => Carbon::now(),
])->id)->all();

/** A run and its restore, which then takes ten minutes and ends with an item for each of these words. */
$restore = function (array $words, array $differs = []) use ($scope, $set, $items): RestoreRun {
    later(5);
    $run = OperationRun::create($scope + [
        'initiator_name' => 'A. Operator', 'type' => 'restore.execute', 'run_identity_hash' => bin2hex(random_bytes(16)),
    ]);
    $restore = RestoreRun::create($scope + [
        'backup_set_id' => $set->id, 'operation_run_id' => $run->id, 'requested_by' => 'operator@example.com',
        'requested_items' => $items, 'group_mapping' => [], 'preview' => [], 'metadata' => [],
    ]);
    $run->update(['status' => 'running', 'started_at' => Carbon::now()]);
    $restore->update(['status' => 'running', 'started_at' => Carbon::now()]);
    later(10);
    $rows = array_map(fn ($word) => ['status' => $word, 'assignment_outcomes' => []], $words);
    $applied = count(array_keys($words, 'applied', true));
    $restore->update($differs + [
        'status' => 'completed',
        'results' => ['foundations' => [], 'items' => array_combine($items, $rows)],
        'metadata' => ['total' => count($words), 'succeeded' => $applied, 'failed' => count($words) - $applied],
        'completed_at' => Carbon::now(),
    ]);

    return $restore;
};

/** What is recorded of a restore once it has ended. */
$audit = function (RestoreRun $restore, string $outcome) use ($scope): void {
    AuditLog::create($scope + [
        'actor_type' => 'system', 'action' => "restore.{$restore->status}", 'resource_type' => 'restore_run',
        'resource_id' => (string) $restore->id, 'status' => $outcome, 'outcome' => $outcome,
        'metadata' => ['total' => 2], 'recorded_at' => Carbon::now(),
    ]);
};

$evidence = function (RestoreRun $restore) use ($scope): void {
    later(1);
    EvidenceSnapshot::create($scope + [
        'operation_run_id' => $restore->operation_run_id, 'fingerprint' => hash('sha256', (string) $restore->id),
        'status' => 'active', 'completeness_state' => 'complete', 'generated_at' => Carbon::now(),
        'expires_at' => Carbon::now()->addMonth(), 'summary' => ['dimensions' => []],
    ]);
};
