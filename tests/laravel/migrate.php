<?php

// Builds the platform's tables as its migrations do, in their order, with Laravel's schema builder.

declare(strict_types=1);

use Illuminate\Database\Schema\Blueprint;

$capsule = require __DIR__ . '/platform.php';
$schema = $capsule->schema();
$connection = $capsule->getConnection();

$schema->create('workspaces', function (Blueprint $table) {
    $table->id();
    $table->string('name');
    $table->timestamps();
});

$schema->create('managed_environments', function (Blueprint $table) {
    $table->id();
    $table->foreignId('workspace_id')->constrained();
    $table->string('name');
    $table->softDeletes();
    $table->timestamps();
});

$schema->create('operation_runs', function (Blueprint $table) {
    $table->id();
    $table->foreignId('workspace_id')->constrained();
    $table->foreignId('managed_environment_id')->nullable()->constrained();
    $table->foreignId('user_id')->nullable();
    $table->string('initiator_name');
    $table->string('type');
    $table->string('status')->default('queued');
    $table->string('outcome')->default('pending');
    $table->string('run_identity_hash');
    $table->jsonb('summary_counts')->nullable();
    $table->jsonb('failure_summary')->nullable();
    $table->jsonb('context')->nullable();
    $table->timestamp('started_at')->nullable();
    $table->timestamp('completed_at')->nullable();
    $table->timestamps();
    $table->index(['workspace_id', 'type', 'created_at']);
});
// The schema builder has no partial indexes.
$connection->statement(
    "CREATE UNIQUE INDEX operation_runs_active_unique_environment
     ON operation_runs (managed_environment_id, run_identity_hash)
     WHERE managed_environment_id IS NOT NULL AND status IN ('queued', 'running')"
);
$connection->statement(
    "CREATE UNIQUE INDEX operation_runs_active_unique_workspace
     ON operation_runs (workspace_id, run_identity_hash)
     WHERE managed_environment_id IS NULL AND status IN ('queued', 'running')"
);

$schema->create('backup_sets', function (Blueprint $table) {
    $table->id();
    $table->foreignId('workspace_id')->constrained();
    $table->foreignId('managed_environment_id')->constrained();
    $table->string('name');
    $table->string('status');
    $table->timestamp('completed_at')->nullable();
    $table->json('metadata')->nullable();
    $table->softDeletes();
    $table->timestamps();
});

$schema->create('backup_items', function (Blueprint $table) {
    $table->id();
    $table->foreignId('backup_set_id')->constrained();
    $table->string('policy_type');
    $table->json('payload');
    $table->json('assignments')->nullable();
    $table->json('metadata')->nullable();
    $table->timestamp('captured_at');
    $table->softDeletes();
    $table->timestamps();
});

$schema->create('restore_runs', function (Blueprint $table) {
    $table->id();
    $table->foreignId('workspace_id')->constrained();
    $table->foreignId('managed_environment_id')->constrained();
    $table->foreignId('backup_set_id')->constrained();
    $table->string('requested_by')->nullable();
    $table->boolean('is_dry_run')->default(false);
    $table->string('status')->default('pending');
    $table->json('requested_items')->nullable();
    $table->json('group_mapping')->nullable();
    $table->json('preview')->nullable();
    $table->json('results')->nullable();
    $table->json('metadata')->nullable();
    $table->text('failure_reason')->nullable();
    $table->timestamp('started_at')->nullable();
    $table->timestamp('completed_at')->nullable();
    $table->softDeletes();
    $table->timestamps();
    $table->index(['managed_environment_id', 'status']);
});

// Two months later.
$schema->table('restore_runs', function (Blueprint $table) {
    $table->foreignId('operation_run_id')->nullable()->after('backup_set_id')->constrained()->nullOnDelete();
});

$schema->create('evidence_snapshots', function (Blueprint $table) {
    $table->id();
    $table->foreignId('workspace_id')->constrained();
    $table->foreignId('managed_environment_id')->constrained();
    $table->foreignId('operation_run_id')->nullable()->constrained()->nullOnDelete();
    $table->string('fingerprint', 64)->nullable();
    $table->string('previous_fingerprint', 64)->nullable();
    $table->string('status');
    $table->string('completeness_state')->default('missing');
    $table->jsonb('summary')->default('{}');
    $table->timestampTz('generated_at')->nullable();
    $table->timestampTz('expires_at')->nullable();
    $table->timestampsTz();
    $table->index(['managed_environment_id', 'status']);
});

$schema->create('audit_logs', function (Blueprint $table) {
    $table->id();
    $table->foreignId('workspace_id')->nullable()->constrained();
    $table->foreignId('managed_environment_id')->nullable()->constrained();
    $table->foreignId('actor_id')->nullable();
    $table->string('actor_email')->nullable();
    $table->string('actor_name')->nullable();
    $table->string('actor_type', 32)->default('human');
    $table->string('actor_label')->nullable();
    $table->string('action');
    $table->string('resource_type')->nullable();
    $table->string('resource_id')->nullable();
    $table->string('status')->default('success');
    $table->string('outcome', 32)->nullable();
    $table->string('summary')->nullable();
    $table->json('metadata')->nullable();
    $table->timestamp('recorded_at');
    $table->index(['managed_environment_id', 'action']);
    $table->index(['managed_environment_id', 'recorded_at']);
});
// Nor has it checks.
foreach ([
    'actor_type' => "actor_type IN ('human', 'system', 'scheduled', 'integration')",
    'outcome' => "outcome IN ('success', 'failure', 'partial', 'info', 'blocked')",
    'scope' => 'managed_environment_id IS NULL OR workspace_id IS NOT NULL',
] as $name => $check) {
    $connection->statement("ALTER TABLE audit_logs ADD CONSTRAINT audit_logs_{$name}_check CHECK ({$check})");
}
