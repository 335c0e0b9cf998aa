using Opt.Api.Protocol;
using Opt.Trainer.Agent.Processes;
using Xunit;

namespace Opt.Trainer.Tests.Agent;

public sealed class ExitClassifierTests
{
    [Theory]
    [InlineData(0, "", WorkerExit.Success)]
    [InlineData(64, "opt-trainer: configuration: heads 7", WorkerExit.Configuration)]
    [InlineData(70, "", WorkerExit.PeerLost)]
    [InlineData(1, "RuntimeError: CUDA error: an illegal memory access was encountered", WorkerExit.Device)]
    [InlineData(1, "NCCL error in: ProcessGroupNCCL.cpp:1269", WorkerExit.Device)]
    [InlineData(1, "NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus", WorkerExit.Device)]
    [InlineData(1, "CUDA out of memory. Tried to allocate 20.00 MiB", WorkerExit.OutOfMemory)]
    [InlineData(1, "terminate called after throwing an instance of 'std::bad_alloc'", WorkerExit.OutOfMemory)]
    [InlineData(1, "[../gloo/transport/tcp/pair.cc:598] Connection closed by peer [10.0.0.3]:21873", WorkerExit.PeerLost)]
    [InlineData(1, "NCCL error in: ProcessGroupNCCL.cpp:1970, remote process exited or there was a network error, NCCL version 2.18.1", WorkerExit.PeerLost)]
    [InlineData(1, "ncclRemoteError: A call failed possibly due to a network error or a remote process exiting prematurely.", WorkerExit.PeerLost)]
    [InlineData(1, "System.IO.IOException: No space left on device : '/var/tmp/trace.json'", WorkerExit.DiskFull)]
    [InlineData(76, "", WorkerExit.DiskFull)]
    [InlineData(1, "something else", WorkerExit.Internal)]
    [InlineData(3, "", WorkerExit.Internal)]
    public void An_exit_code_is_read_with_what_was_printed(int code, string line, WorkerExit expected) =>
        Assert.Equal(expected, ExitClassifier.Classify(new(code, null, null, [line]), killedForMemory: false).Exit);

    [Theory]
    [InlineData(9, false, "", WorkerExit.Internal, "killed by SIGKILL from outside")]
    [InlineData(9, true, "", WorkerExit.OutOfMemory, "killed by the kernel: the pod's memory limit was reached")]
    [InlineData(11, false, "", WorkerExit.Internal, "killed by SIGSEGV")]
    [InlineData(6, false, "CUDA error: device-side assert triggered", WorkerExit.Device, "SIGABRT: CUDA error: device-side assert triggered")]
    [InlineData(6, false, "  what():  Connection reset by peer", WorkerExit.PeerLost, "SIGABRT: what():  Connection reset by peer")]
    [InlineData(6, false, "[Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1142, OpType=ALLREDUCE, Timeout(ms)=600000)", WorkerExit.PeerLost, "SIGABRT: [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1142, OpType=ALLREDUCE, Timeout(ms)=600000)")]
    [InlineData(6, false, "NCCL WARN Error while creating shared memory segment: No space left on device", WorkerExit.DiskFull, "SIGABRT: NCCL WARN Error while creating shared memory segment: No space left on device")]
    [InlineData(15, false, "", WorkerExit.Stopped, "ended by SIGTERM")]
    public void A_signal_is_read_with_what_the_kernel_and_the_output_say(int signal, bool memory, string line, WorkerExit expected, string message) =>
        Assert.Equal((expected, message), ExitClassifier.Classify(new(null, signal, null, [line]), memory));

    [Fact]
    public void What_the_worker_said_itself_comes_before_its_code() =>
        Assert.Equal((WorkerExit.Store, "blob is down"), ExitClassifier.Classify(new(1, null, new() { Exit = WorkerExit.Store, Message = "blob is down" }, ["CUDA error"]), false));
}
