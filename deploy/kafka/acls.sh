#!/usr/bin/env bash
# Who may do what on the brokers, in Kafka's own commands; each principal gets what it needs and no more.
#
#   KAFKA_ACLS=/opt/kafka/bin/kafka-acls.sh BOOTSTRAP=kafka-1:9093 ADMIN_CONFIG=admin.properties deploy/kafka/acls.sh
#
# Repeating it is harmless. Principals are users of SASL; with mutual TLS put the certificates' names instead.
set -euo pipefail
: "${KAFKA_ACLS:=kafka-acls.sh}" "${BOOTSTRAP:?host:port of a broker}" "${ADMIN_CONFIG:?properties file of the admin client}"

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

# Capture systems: one principal for each office or vendor is better than one for all.
writes capture --topic registration.events.v1
reads capture --topic registration.rejected.v1 --topic registration.receipts.v1
joins capture capture- --resource-pattern-type prefixed

# Officers send commands and read them back; who they are is proven by their signatures, not by this.
writes officer --topic roll.commands.v1
reads officer --topic roll.commands.v1

reads downstream --topic roll.lists.v1 --topic roll.manifests.v1
joins downstream downstream- --resource-pattern-type prefixed

# Observers audit: they read everything, write nothing, and see how far the services are.
reads observer --topic registration.events.v1 --topic registration.accepted.v1 --topic registration.rejected.v1 \
    --topic registration.receipts.v1 --topic registration.checked.v1 --topic registration.events.v1.dlq \
    --topic roll.commands.v1 --topic roll.lists.v1 --topic roll.manifests.v1
allow observer --operation Describe --group rollstream-registration --group rollstream-dedup \
    --group rollstream-publisher

# Operators make and compare topics, and look at dead letters.
allow operator --operation Create --operation Describe --operation DescribeConfigs \
    --topic registration. --topic roll. --topic rollstream. --resource-pattern-type prefixed
# They replay and drop dead letters as officers: what they did is signed, and stays on the trail.
reads operator --topic registration.events.v1 --topic registration.events.v1.dlq --topic roll.commands.v1 \
    --topic rollstream.operations.v1
writes operator --topic registration.events.v1 --topic rollstream.operations.v1
