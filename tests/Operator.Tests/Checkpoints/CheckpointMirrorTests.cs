using FsCheck;
using FsCheck.Fluent;
using Opt.Api;
using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Operator.Checkpoints;
using Xunit;

namespace Opt.Operator.Tests.Checkpoints;

public sealed class CheckpointMirrorTests
{
    [Fact]
    public void Writing_what_it_says_leaves_nothing_to_write() => Prop.ForAll(Catalogues.ToArbitrary(), Catalogues.ToArbitrary(), (before, after) =>
    {
        var present = Written([], before);
        var again = Written(present, after);
        return Steps(after, present).Count() <= before.Checkpoints.Count + after.Checkpoints.Count && !Steps(after, again).Any() && again.Count == Math.Min(after.Checkpoints.Count, CheckpointMirror.MostShown);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void At_most_200_are_shown_pinned_ones_first_then_the_newest()
    {
        var shown = Written([], CatalogueOf(Enumerable.Range(1, 300).Select(i => Checkpoint(i) with { Pinned = i == 7 }))).Select(c => c.Status!.Step).Order().ToArray();
        Assert.Equal([7L, .. Enumerable.Range(102, 199).Select(i => (long)i)], shown);
    }

    [Fact]
    public void Checkpoints_of_one_step_have_objects_of_their_own_and_names_sort_by_step()
    {
        var names = new[] { Checkpoint(9), Checkpoint(10), Checkpoint(10) with { ManifestDigest = "ffffffffffffffff", Entry = 11 } }.Select(c => CheckpointMirror.NameOf("opt", c)).ToArray();
        Assert.Equal(names.Order(StringComparer.Ordinal), names);
        Assert.Equal(3, names.Distinct().Count());
    }

    [Fact]
    public void Only_what_differs_is_asked_for()
    {
        var catalogue = CatalogueOf([Checkpoint(1), Checkpoint(2) with { Pinned = true }, Checkpoint(3) with { Verdict = HealthVerdict.Condemned }]);
        var condemned = new CondemnedSpec { Reason = "bad data" };
        OptCheckpointSpec[] specs = [new() { Pinned = true, Condemned = condemned }, new() { Pinned = true }, new() { Condemned = condemned, Pinned = false }];
        var asked = Assert.Single(CheckpointMirror.Asks(catalogue, Written([], catalogue).Zip(specs, (c, s) => c with { Spec = s })));
        Assert.Equal(new CheckpointMark { Entry = 1, ManifestDigest = Checkpoint(1).ManifestDigest, Pinned = true, Condemn = "bad data" }, asked.Mark);
    }

    [Fact]
    public void Without_an_agent_an_object_says_that_its_wish_must_wait_and_nothing_is_removed()
    {
        var present = Written([], CatalogueOf([Checkpoint(1), Checkpoint(2)]));
        var step = Assert.IsType<WriteCheckpoint>(Assert.Single(CheckpointMirror.StepsWithoutCatalogue([present[0] with { Spec = new() { Pinned = true } }, present[1]])));
        Assert.Equal(CheckpointMirror.NoAgent, step.Status.Waiting);
        Assert.Empty(CheckpointMirror.StepsWithoutCatalogue([present[0] with { Spec = new() { Pinned = true }, Status = step.Status }]));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(1023, "1023")]
    [InlineData(1536, "1.5Ki")]
    [InlineData(880468295680, "820Gi")]
    [InlineData(2_309_220_000_000, "2.1Ti")]
    public void Sizes_are_short(long bytes, string text) => Assert.Equal(text, CheckpointMirror.SizeOf(bytes));

    private static Gen<Catalogue> Catalogues =>
        from steps in Gen.Choose(0, 12).ListOf()
        from pinned in Gen.Choose(0, 12)
        from verdict in Gen.Elements(Enum.GetValues<HealthVerdict>())
        select CatalogueOf(steps.Distinct().Select(s => Checkpoint(s + 1) with { Pinned = s == pinned, Verdict = verdict }));

    private static IEnumerable<MirrorStep> Steps(Catalogue catalogue, IReadOnlyCollection<MirroredCheckpoint> present) => CheckpointMirror.Steps("opt", catalogue, present, new Dictionary<string, string>());

    /// <summary>The objects after every step was carried out.</summary>
    private static List<MirroredCheckpoint> Written(IReadOnlyCollection<MirroredCheckpoint> present, Catalogue catalogue)
    {
        var objects = present.ToDictionary(p => p.Name);
        foreach (var step in Steps(catalogue, present))
        {
            if (step is AddCheckpoint add) objects.Add(add.Name, new(add.Name, add.Name, false, new(), add.Status));
            if (step is WriteCheckpoint write) objects[write.Name] = objects[write.Name] with { Status = write.Status };
            if (step is RemoveCheckpoint remove) objects.Remove(remove.Name);
        }

        return [.. objects.Values];
    }

    private static Catalogue CatalogueOf(IEnumerable<CheckpointSummary> checkpoints) => new() { Entry = 1000, FencedEpoch = 1, JobUid = "uid", Checkpoints = [.. checkpoints] };

    private static CheckpointSummary Checkpoint(long step) => new()
    {
        Step = step, Attempt = step, Samples = step, Tokens = step, Epoch = 1, Entry = step, Path = $"checkpoints/{step}", ManifestDigest = $"{step:x16}", Bytes = 1, CommittedAt = DateTimeOffset.UnixEpoch,
    };
}
