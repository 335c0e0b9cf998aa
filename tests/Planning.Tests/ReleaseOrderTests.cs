using FsCheck;
using FsCheck.Fluent;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>Which of several jobs that hold machines and wait for more gives its own back.</summary>
public sealed class ReleaseOrderTests
{
    private static readonly TimeSpan Deadline = Make.Job().Spec.FailurePolicy.ProvisionDeadline;
    private static readonly Rival Younger = new("ml/younger", "z", 0, Make.Now + TimeSpan.FromHours(1));
    private static readonly Rival Older = new("ml/older", "a", 0, Make.Now - TimeSpan.FromHours(1));

    [Fact]
    public void Of_any_jobs_that_wait_for_each_other_exactly_one_is_the_last_whoever_asks()
    {
        var job = from priority in Gen.Choose(-2, 2) from age in Gen.Choose(0, 3) from uid in Gen.Choose(0, 99) select (Priority: priority, Age: age, Uid: $"{uid:00}");
        Prop.ForAll(job.ListOf().Select(all => all.DistinctBy(j => j.Uid).ToArray()).ToArbitrary(), all =>
        {
            (int Priority, int Age, string Uid)[] last = [.. all.Where(mine => !ReleaseOrder.Behind(Seen(mine, all.Where(other => other.Uid != mine.Uid))).Any())];
            return all.Length == 0 || last is [var one] && one.Priority == all.Min(j => j.Priority) && all.Where(j => j.Priority == one.Priority).All(j => j.Age <= one.Age);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void A_job_keeps_its_machines_past_its_deadline_while_a_younger_one_must_release_first_and_a_little_longer()
    {
        var world = Waiting(Younger);
        world.Run((int)Deadline.TotalSeconds + 300);
        Assert.Equal(3, world.Set!.Replicas);
        Assert.Contains("ml/younger must release machines first", Placed(world).Message, StringComparison.Ordinal);

        world.Rivals = [];   // it released
        world.Run(100);
        Assert.Equal(3, world.Set.Replicas);
        world.RunUntil(w => w.Set is { Replicas: 0 }, limit: 60);
    }

    [Fact]
    public void The_machines_that_a_younger_job_releases_make_the_older_one_whole()
    {
        var world = Waiting(Younger);
        world.Run((int)Deadline.TotalSeconds + 300);
        (world.Rivals, world.Nodes[2].Departure) = ([], null);
        world.RunUntil(w => w.Status.Phase is JobPhase.Running, limit: 120);
        Assert.DoesNotContain(world.Done.OfType<ScaleStatefulSet>(), a => a.Replicas == 0);
    }

    [Fact]
    public void A_job_behind_that_never_releases_is_waited_for_twice_the_deadline_at_most()
    {
        var world = Waiting(Younger);
        world.RunUntil(w => w.Set is { Replicas: 0 }, limit: 2 * (int)Deadline.TotalSeconds + 60);
        Assert.True(world.Now - Make.Now >= 2 * Deadline);
    }

    [Fact]
    public void A_job_that_released_comes_back_when_those_ahead_have_their_machines_or_gave_up()
    {
        var world = Waiting(Older);
        world.RunUntil(w => w.Set is { Replicas: 0 }, limit: (int)Deadline.TotalSeconds + 60);
        world.Run(600);   // its back-off is a minute
        Assert.Equal(0, world.Set!.Replicas);
        Assert.Equal("Released", Placed(world).Reason);

        world.Rivals = [];
        world.RunUntil(w => w.Set is { Replicas: 3 }, limit: 30);
    }

    [Fact]
    public void Jobs_ahead_that_wait_for_ever_keep_one_that_released_waiting_no_longer_than_its_own_deadline()
    {
        var world = Waiting(Older);
        world.RunUntil(w => w.Set is { Replicas: 0 }, limit: (int)Deadline.TotalSeconds + 60);
        world.RunUntil(w => w.Set is { Replicas: 3 }, limit: (int)Deadline.TotalSeconds + 120);
    }

    /// <summary>Two of three machines are there.</summary>
    private static SimulatedWorld Waiting(Rival rival)
    {
        var world = new SimulatedWorld(Make.Job(nodes: 3) is var job ? job with { Metadata = job.Metadata with { CreationTimestamp = Make.Now } } : job, nodes: 3) { Rivals = [rival] };
        world.Nodes[2].Cordon();
        world.RunUntil(w => w.Status.Conditions.Any(c => c is { Type: ConditionTypes.MembersPlaced, Reason: Placement.Waiting }), limit: 60);
        return world;
    }

    private static Condition Placed(SimulatedWorld world) => world.Status.Conditions.Single(c => c.Type == ConditionTypes.MembersPlaced);

    private static Situation Seen((int Priority, int Age, string Uid) mine, IEnumerable<(int Priority, int Age, string Uid)> others)
    {
        var job = Make.Job();
        return new(job with { Metadata = job.Metadata with { Uid = mine.Uid, CreationTimestamp = At(mine.Age) } }, new()
        {
            PodDigest = "", Pods = [Make.Pod("pod", 0) with { Priority = mine.Priority }],
            Rivals = [.. others.Select(o => new Rival($"ml/{o.Uid}", o.Uid, o.Priority, At(o.Age)))],
        }, Make.Now);
    }

    private static DateTimeOffset At(int age) => Make.Now + TimeSpan.FromMinutes(age);
}
