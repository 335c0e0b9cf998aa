using System.Text.Json.Nodes;
using Opt.LocalCluster.Controllers;
using Opt.LocalCluster.Controllers.Garbage;
using Opt.LocalCluster.Objects;

namespace Opt.LocalCluster.Tests.Controllers;

public sealed class GarbageDecisionTests
{
    private static JsonObject Owned(string name, params string[] owners) => Make.Pod(name).With("metadata.ownerReferences", new JsonArray(
        [.. owners.Select(owner => (JsonNode)Make.Json($$"""{"apiVersion":"v1","kind":"ConfigMap","name":"{{owner}}","uid":"{{owner}}","blockOwnerDeletion":true}"""))]));

    private static Func<OwnerReference, OwnerState> States(params (string Uid, OwnerState State)[] states) => owner => states.Single(s => s.Uid == owner.Uid).State;

    private static List<Act> Dependant(JsonObject o, bool hasDependants, params (string, OwnerState)[] states) =>
        GarbageDecision.AsDependant(Kinds.Pods, o, States(states), hasDependants).ToList();

    [Fact]
    public void An_object_whose_owners_are_all_gone_is_deleted() =>
        Assert.Equal("Background", Assert.IsType<Act.Delete>(Assert.Single(Dependant(Owned("p", "a", "b"), false, ("a", OwnerState.Absent), ("b", OwnerState.Absent)))).Propagation);

    [Fact]
    public void An_object_with_an_owner_left_only_loses_the_dead_reference()
    {
        var patch = Assert.IsType<Act.Patch>(Assert.Single(Dependant(Owned("p", "a", "b"), false, ("a", OwnerState.Absent), ("b", OwnerState.Solid))));

        Assert.Equal("b", patch.Body.Objects("metadata", "ownerReferences").Single().Text("uid"));
    }

    [Theory]
    [InlineData(OwnerState.Solid)]
    [InlineData(OwnerState.Unknown)]
    public void Nothing_is_concluded_from_an_owner_that_is_there_or_cannot_be_judged(OwnerState state) =>
        Assert.Empty(Dependant(Owned("p", "a"), false, ("a", state)));

    [Fact]
    public void Foreground_deletion_goes_from_the_leaves_up()
    {
        var inner = Assert.IsType<Act.Delete>(Assert.Single(Dependant(Owned("p", "a"), true, ("a", OwnerState.WaitingForDependants))));
        var leaf = Assert.IsType<Act.Delete>(Assert.Single(Dependant(Owned("p", "a"), false, ("a", OwnerState.WaitingForDependants))));

        Assert.Equal(("Foreground", "Background"), (inner.Propagation, leaf.Propagation));
    }

    [Fact]
    public void An_owner_in_the_foreground_waits_for_the_dependants_that_block_it()
    {
        var owner = Make.Pod("a").With("metadata.uid", "a").With("metadata.finalizers", new JsonArray("foregroundDeletion")).Terminating();
        var blocking = Owned("p", "a");
        var free = Owned("q", "a");
        free["metadata"]!["ownerReferences"]![0]!["blockOwnerDeletion"] = false;

        Assert.Empty(GarbageDecision.AsOwner(Kinds.Pods, owner, [(Kinds.Pods, blocking)]));
        Assert.Null(Assert.IsType<Act.Patch>(Assert.Single(GarbageDecision.AsOwner(Kinds.Pods, owner, [(Kinds.Pods, free)]))).Body.At("metadata", "finalizers"));
    }

    [Fact]
    public void Orphaning_frees_the_dependants_before_the_owner_goes()
    {
        var owner = Make.Pod("a").With("metadata.uid", "a").With("metadata.finalizers", new JsonArray("orphan", "mine")).Terminating();

        var freed = Assert.IsType<Act.Patch>(Assert.Single(GarbageDecision.AsOwner(Kinds.Pods, owner, [(Kinds.Pods, Owned("p", "a"))])));
        Assert.Equal("p", freed.Target.Name);
        var released = Assert.IsType<Act.Patch>(Assert.Single(GarbageDecision.AsOwner(Kinds.Pods, owner, [])));
        Assert.Equal(["mine"], released.Body.Strings("metadata", "finalizers"));
    }
}
