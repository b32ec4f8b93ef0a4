#!/usr/bin/env bash
# Who may do what on the brokers, in Kafka's own commands; each principal gets what it needs and no more.
#
#   KAFKA_ACLS=/opt/kafka/bin/kafka-acls.sh BOOTSTRAP=kafka-1:9093 ADMIN_CONFIG=admin.properties deploy/kafka/acls.sh
#
# Repeating it is harmless; it takes nothing away. Principals are users of SASL; with mutual TLS put the
# certificates' names instead. CAPTURE names the capture systems' principals, one for each office or vendor.
# It relies on these settings of the brokers: `authorizer.class.name` is KRaft's StandardAuthorizer,
# `allow.everyone.if.no.acl.found` false (the default), `delete.topic.enable` false (nobody has the right to
# delete; this holds for administrators, too). Nobody gets a right on the cluster: who may write to one topic may
# do so idempotently, and topics are made by the right to create them by name.
set -euo pipefail
: "${KAFKA_ACLS:=kafka-acls.sh}" "${BOOTSTRAP:?host:port of a broker}" "${ADMIN_CONFIG:?properties file of the admin client}"
: "${CAPTURE:=capture}"

allow() { # principal, then kafka-acls' own arguments
    local principal=$1
    shift
    "$KAFKA_ACLS" --bootstrap-server "$BOOTSTRAP" --command-config "$ADMIN_CONFIG" \
        --add --allow-principal "User:$principal" "$@"
}
# A service asks for each of its topics whether it is as the contract says (LogAppendTime): DescribeConfigs.
reads() { allow "$1" --operation Read --operation Describe --operation DescribeConfigs "${@:2}"; }
writes() { allow "$1" --operation Write --operation Describe --operation DescribeConfigs "${@:2}"; }
joins() { allow "$1" --operation Read --group "$2" "${@:3}"; }

# After a store was lost, registration looks what receipts say already.
reads registration --topic registration.events.v1 --topic roll.commands.v1 --topic registration.receipts.v1 \
    --topic rollstream.operations.v1
writes registration --topic rollstream.operations.v1 \
    --topic registration.events.v1 --topic registration.accepted.v1 \
    --topic registration.rejected.v1 --topic registration.receipts.v1 --topic registration.events.v1.dlq
joins registration rollstream-registration

reads dedup --topic registration.accepted.v1 --topic roll.commands.v1 --topic rollstream.operations.v1
writes dedup --topic registration.checked.v1 --topic rollstream.operations.v1
joins dedup rollstream-dedup

reads publisher --topic registration.checked.v1 --topic roll.commands.v1 --topic roll.manifests.v1 \
    --topic rollstream.operations.v1
writes publisher --topic roll.lists.v1 --topic roll.manifests.v1 --topic rollstream.operations.v1
joins publisher rollstream-publisher

# The console sends what officers sign in it, and reads what became of it.
reads console --topic roll.commands.v1 --topic rollstream.operations.v1
writes console --topic roll.commands.v1 --topic rollstream.operations.v1

# They write events and read none, their own neither. What they read holds ids and no person's data.
for principal in $CAPTURE; do
    writes "$principal" --topic registration.events.v1
    reads "$principal" --topic registration.rejected.v1 --topic registration.receipts.v1
    joins "$principal" "$principal-" --resource-pattern-type prefixed
done

# Officers send commands and read them back; who they are is proven by their signatures, not by this.
allow officer --operation Read --operation Write --operation Describe --topic roll.commands.v1

reads downstream --topic roll.lists.v1 --topic roll.manifests.v1
joins downstream downstream- --resource-pattern-type prefixed

# Observers also see who decided and did what; they need no person's data beyond the lists.
reads observer --topic roll.lists.v1 --topic roll.manifests.v1 --topic roll.commands.v1 \
    --topic rollstream.operations.v1
joins observer observer- --resource-pattern-type prefixed

# Auditors fold everything anew (`rollstream audit`), so they read every person's data, and how far the services
# are. They write nothing.
reads auditor --topic registration.events.v1 --topic registration.accepted.v1 --topic registration.rejected.v1 \
    --topic registration.receipts.v1 --topic registration.checked.v1 --topic registration.events.v1.dlq \
    --topic roll.commands.v1 --topic roll.lists.v1 --topic roll.manifests.v1 --topic rollstream.operations.v1
allow auditor --operation Describe --group rollstream- --resource-pattern-type prefixed

# Operators make and compare topics. They cannot change a topic's settings: kafka-configs.sh with the
# administrator's login does that.
allow operator --operation Create --operation Describe --operation DescribeConfigs \
    --topic registration. --topic roll. --topic rollstream. --resource-pattern-type prefixed
allow operator --operation Describe --group rollstream- --resource-pattern-type prefixed

# Whoever sees to dead letters reads them, and sends them again to the events topic, where an interrupted replay
# is looked for; as an officer, since each such act is signed and stays on the trail. `rollstream skip` reads a
# record that stops a service, and proposes to pass it over.
reads dead-letters --topic registration.events.v1.dlq --topic registration.events.v1 --topic roll.commands.v1 \
    --topic rollstream.operations.v1 --topic registration.accepted.v1 --topic registration.checked.v1
writes dead-letters --topic registration.events.v1 --topic rollstream.operations.v1 --topic roll.commands.v1
