-- Rows as revision 0002 stored them; each statement runs on SQLite and on PostgreSQL.
INSERT INTO provision_log_heads (instance_id, last_seq) VALUES ('i-1', 2);
INSERT INTO provision_log (instance_id, seq, stage, level, message, dedup_key, created_at) VALUES ('i-1', 1, 'ordered', 'info', 'ordering', 'k1', '2030-05-01 12:00:00.000000');
INSERT INTO provision_log (instance_id, seq, stage, level, message, dedup_key, created_at) VALUES ('i-1', 2, 'booting', 'info', 'up', NULL, '2030-05-01 12:00:01.000000');
INSERT INTO stage_reports (instance_id, stage, seq, level, message, reported_at) VALUES ('i-1', 'booting', 7, 'info', 'up', '2030-05-01 12:00:01.000000');
INSERT INTO credentials (instance_id, namespace, name, token_hash, key_hash, public_key, armed, issued_at, first_heartbeat_at) VALUES ('i-1', 'ns', 'one', 'token', 'key', 'public', FALSE, '2030-05-01 12:00:02.000000', '2030-05-01 12:00:03.000000');
INSERT INTO instance_health (instance_id, failures, last_heartbeat, versions, versions_reported_at, health_status, uptime_seconds, last_poll_at, last_status, last_error) VALUES ('i-1', 2, '2030-05-01 12:00:03.000000', '{"runtime": {"version": "1.0.0"}}', '2030-05-01 12:00:03.000000', 'healthy', 1099511627776, '2030-05-01 12:00:04.000000', '{"version": "1.0.0"}', 'refused');
INSERT INTO tombstones (instance_id, tenant_id, namespace, name, customer_id, snapshot, deleted_at) VALUES ('i-0', 't', 'ns', 'zero', NULL, '{"kind": "Instance"}', '2030-05-01 12:00:05.000000');
INSERT INTO idempotency_keys (tenant_id, key, body_hash, instance_id, name, task_id, created_at) VALUES ('t', 'k', 'h', 'i-1', 'one', NULL, '2030-05-01 12:00:06.000000');
INSERT INTO api_keys (id, tenant_id, namespace, name, prefix, key_hash, scopes, admin, tenant_wide, created_by, created_at, last_used_at, revoked_at) VALUES ('id-1', 't', 'ns', 'laptop', 'hc_live_abc', 'hash', '["instances:read"]', TRUE, FALSE, 'cli', '2030-05-01 12:00:07.000000', NULL, NULL);
INSERT INTO rollout_archive_heads (uid, revision, digest) VALUES ('r-1', 2, 'r-1');
INSERT INTO rollout_archive (uid, revision, tenant_id, namespace, name, created_at, archived_at, rollout) VALUES ('r-1', 1, 't', 'ns', 'r1', '2030-05-01 12:00:08.000000', '2030-05-01 12:30:00.000000', '{"metadata": {"name": "r1"}, "status": {"state": "failed"}}');
INSERT INTO rollout_archive (uid, revision, tenant_id, namespace, name, created_at, archived_at, rollout) VALUES ('r-1', 2, 't', 'ns', 'r1', '2030-05-01 12:00:08.000000', '2030-05-01 13:00:00.000000', '{"metadata": {"name": "r1"}, "status": {"state": "succeeded"}}');
INSERT INTO rollout_archive_heads (uid, revision, digest) VALUES ('r-2', 1, 'r-2');
INSERT INTO rollout_archive (uid, revision, tenant_id, namespace, name, created_at, archived_at, rollout) VALUES ('r-2', 1, 't', 'ns', 'r2', '2030-05-01 12:00:09.000000', '2030-05-01 13:00:00.000000', '{"metadata": {"name": "r2"}, "status": {"state": "failed"}}');
INSERT INTO rollout_archive_targets (uid, rollout_uid, revision, instance_id, position, created_at, wire) VALUES ('t-1', 'r-1', 2, 'i-1', 0, '2030-05-01 12:00:08.000000', '{"metadata": {"uid": "t-1"}}');
INSERT INTO rollout_archive_targets (uid, rollout_uid, revision, instance_id, position, created_at, wire) VALUES ('t-2', 'r-1', 2, 'i-2', 1, '2030-05-01 12:00:08.000000', '{"metadata": {"uid": "t-2"}}');
