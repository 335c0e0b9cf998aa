using Opt.Api.Protocol;
using Opt.Api.V1Alpha1;
using Opt.Planning.Tests.World;
using Xunit;

namespace Opt.Planning.Tests;

/// <summary>A save to the store is committed when its upload is done, after saves to memory that were begun later: the order of commits is not that of steps.</summary>
public sealed class ResumePointTests
{
    private static readonly CheckpointSummary s_before = Make.Checkpoint(10, entry: 1), s_copied = Make.Checkpoint(27, entry: 2), s_uploaded = Make.Checkpoint(20, entry: 3);

    [Fact]
    public void The_checkpoint_furthest_on_is_taken_though_an_upload_of_an_earlier_step_was_done_after_it() =>
        Assert.Equal(27, Choose(plan: null, s_before, s_copied, s_uploaded)?.Step);

    [Fact]
    public void After_a_rollback_to_the_upload_the_copy_of_a_later_step_is_given_up()
    {
        var plan = Plan(epoch: 2, resume: s_uploaded);
        Assert.Equal(20, Choose(plan, s_before, s_copied, s_uploaded)?.Step);
        Assert.Equal(22, Choose(plan, s_before, s_copied, s_uploaded, Make.Checkpoint(22, entry: 5) with { Epoch = 2 })?.Step);
    }

    [Fact]
    public void After_a_relaunch_from_the_copy_the_upload_is_still_there_to_fall_back_to() =>
        Assert.Equal(20, Choose(Plan(epoch: 2, resume: s_copied), s_before, s_uploaded)?.Step);

    private static CheckpointSummary? Choose(RunPlan? plan, params CheckpointSummary[] checkpoints) =>
        ResumePoint.Choose(new() { Entry = 9, FencedEpoch = 3, JobUid = "job", Checkpoints = [.. checkpoints] }, [], plan);

    private static RunPlan Plan(long epoch, CheckpointSummary resume)
    {
        var world = new SimulatedWorld(Make.Job(nodes: 1), nodes: 1);
        world.RunUntil(w => w.Plan is not null);
        return world.Plan! with { Epoch = epoch, Resume = resume };
    }
}
