using Xunit;

namespace Opt.Kubernetes.Tests;

public sealed class InformerSnapshotTests
{
    private static readonly InformerSnapshot<V1Pod> Empty = InformerSnapshot<V1Pod>.Empty(Resources.Pods, new Dictionary<string, Func<V1Pod, IEnumerable<string>>>(
        [Indexes.ByOwner(Resources.Pods), Indexes.ByNode()]));

    [Fact]
    public void A_full_list_reports_what_is_new_what_changed_and_what_is_gone_and_nothing_else()
    {
        var (before, _) = Empty.Apply(new Replace<V1Pod>([Pod("same", 1), Pod("changed", 2), Pod("gone", 3), Pod("recreated", 4)], "10"));

        var (after, changes) = before.Apply(new Replace<V1Pod>([Pod("same", 1), Pod("changed", 12), Pod("new", 13), Pod("recreated", 4, uid: "other")], "20"));

        Assert.Equal(["changed changed", "gone gone", "new new", "recreated changed"],
            changes.Select(c => $"{c.Key.Name} {(c.Old is null ? "new" : c.New is null ? "gone" : "changed")}").Order(StringComparer.Ordinal));
        Assert.Equal(["changed", "new", "recreated", "same"], after.Items.Select(p => p.Metadata.Name));
        Assert.Equal("20", after.ResourceVersion);
    }

    [Fact]
    public void An_older_snapshot_does_not_change()
    {
        var (before, _) = Empty.Apply(new Replace<V1Pod>([Pod("a", 1)], "10"));
        var (after, _) = before.Apply(new Upsert<V1Pod>(new("n", "b"), Pod("b", 11), "11"));
        Assert.Equal(1, before.Count);
        Assert.Equal(2, after.Count);
        Assert.Null(before.Find(new("n", "b")));
    }

    [Fact]
    public void A_deletion_carries_the_last_state_that_the_event_told()
    {
        var (before, _) = Empty.Apply(new Replace<V1Pod>([Pod("a", 1)], "10"));
        var last = Pod("a", 15) with { Status = new() { Phase = "Failed" } };
        var (_, changes) = before.Apply(new Remove<V1Pod>(new("n", "a"), last, "15"));
        Assert.Equal("Failed", Assert.Single(changes).Old?.Status?.Phase);
    }

    [Fact]
    public void Indexes_follow_every_change()
    {
        var (s1, _) = Empty.Apply(new Replace<V1Pod>([Pod("a", 1, node: "n1"), Pod("b", 2, node: "n1"), Pod("c", 3)], "10"));
        Assert.Equal(["a", "b"], Names(s1.By(Indexes.Node, "n1")));
        Assert.Equal(["a", "b", "c"], Names(s1.By(Indexes.OwnerUid, "owner")));

        var (s2, _) = s1.Apply(new Upsert<V1Pod>(new("n", "c"), Pod("c", 11, node: "n1"), "11"));
        var (s3, _) = s2.Apply(new Remove<V1Pod>(new("n", "a"), Pod("a", 12, node: "n2"), "12"));   // its last state was already elsewhere
        Assert.Equal(["b", "c"], Names(s3.By(Indexes.Node, "n1")));
        Assert.Empty(s3.By(Indexes.Node, "n2"));
    }

    [Fact]
    public void An_unknown_index_is_named_together_with_the_known_ones()
    {
        var e = Assert.Throws<ArgumentException>(() => Empty.By("zone", "x"));
        Assert.Contains("no index \"zone\"; it has: node, ownerUid", e.Message, StringComparison.Ordinal);
    }

    private static string[] Names(IEnumerable<V1Pod> pods) => [.. pods.Select(p => p.Metadata.Name!)];

    private static V1Pod Pod(string name, long version, string? uid = null, string? node = null) => new()
    {
        Metadata = new() { Name = name, Namespace = "n", Uid = uid ?? name, ResourceVersion = $"{version}", OwnerReferences = [new() { Uid = "owner" }] },
        Spec = new() { NodeName = node },
    };
}
