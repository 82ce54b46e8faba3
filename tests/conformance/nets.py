"""Small random blocks of known architectures, their outputs by a plain numpy evaluation in double precision."""
import sys, os, numpy as np, onnx
from onnx import helper as h, numpy_helper as nh, TensorProto as T
out=sys.argv[1]; rng=np.random.default_rng(7)
class Net:
    def __init__(s,name,shape): s.name=name; s.nodes=[]; s.inits=[]; s.vals={}; s.k=0; s.x=rng.standard_normal((3,)+shape).astype('f4'); s.vals['x']=s.x.astype('f8'); s.shape=shape
    def c(s,a,name=None):
        s.k+=1; n=name or f'w{s.k}.weight'; a=np.asarray(a); s.inits.append(nh.from_array(a,n)); s.vals[n]=a.astype('f8') if a.dtype.kind=='f' else a; return n
    def add(s,op,ins,val,**kw):
        s.k+=1; o=f't{s.k}'; s.nodes.append(h.make_node(op,ins,[o],**kw)); s.vals[o]=val; return o
    def conv(s,x,n,k,stride=1,pad=0,group=1,bias=True,dil=1):
        v=s.vals[x]; C=v.shape[1]; w=(rng.standard_normal((n,C//group,k,k))/np.sqrt(C//group*k*k)).astype('f4'); b=rng.standard_normal(n).astype('f4')
        W=s.c(w); ins=[x,W]+([s.c(b,f'b{s.k}')] if bias else [])
        p=np.pad(v,((0,0),(0,0),(pad,pad),(pad,pad))); R=(k-1)*dil+1; H=(p.shape[2]-R)//stride+1; Wd=(p.shape[3]-R)//stride+1
        y=np.zeros((v.shape[0],n,H,Wd)); g=C//group; m=n//group
        for i in range(k):
            for j in range(k):
                q=p[:,:,i*dil:i*dil+H*stride:stride,j*dil:j*dil+Wd*stride:stride]
                for G in range(group): y[:,G*m:G*m+m]+=np.einsum('nchw,oc->nohw',q[:,G*g:G*g+g],w[G*m:G*m+m,:,i,j].astype('f8'))
        if bias: y+=b.astype('f8')[None,:,None,None]
        return s.add('Conv',ins,y,kernel_shape=[k,k],strides=[stride]*2,pads=[pad]*4,group=group,dilations=[dil]*2)
    def bn(s,x):
        v=s.vals[x]; C=v.shape[1]; a=[rng.uniform(.5,1.5,C),rng.standard_normal(C),rng.standard_normal(C),rng.uniform(.5,2,C)]; a=[q.astype('f4') for q in a]
        sh=(1,C)+(1,)*(v.ndim-2); S,B,M,V=[q.astype('f8').reshape(sh) for q in a]
        return s.add('BatchNormalization',[x]+[s.c(q,f'bn{s.k}_{i}') for i,q in enumerate(a)],(v-M)/np.sqrt(V+1e-5)*S+B)
    def relu(s,x): return s.add('Relu',[x],np.maximum(s.vals[x],0))
    def relu6(s,x): return s.add('Clip',[x,s.c(np.float32(0),f'lo{s.k}'),s.c(np.float32(6),f'hi{s.k}')],np.clip(s.vals[x],0,6))
    def plus(s,a,b): return s.add('Add',[a,b],s.vals[a]+s.vals[b])
    def cat(s,*a): return s.add('Concat',list(a),np.concatenate([s.vals[i] for i in a],1),axis=1)
    def pool(s,x,op,k,stride,pad=0):
        v=s.vals[x]; f=-np.inf if op=='MaxPool' else np.nan
        p=np.pad(v,((0,0),(0,0),(pad,pad),(pad,pad)),constant_values=f); H=(p.shape[2]-k)//stride+1; W=(p.shape[3]-k)//stride+1
        q=np.stack([p[:,:,i:i+H*stride:stride,j:j+W*stride:stride] for i in range(k) for j in range(k)])
        return s.add(op,[x],q.max(0) if op=='MaxPool' else np.nanmean(q,0),kernel_shape=[k,k],strides=[stride]*2,pads=[pad]*4)
    def gap(s,x): return s.add('GlobalAveragePool',[x],s.vals[x].mean((2,3),keepdims=True))
    def flat(s,x): v=s.vals[x]; return s.add('Flatten',[x],v.reshape(len(v),-1))
    def fc(s,x,n):
        v=s.vals[x]; w=(rng.standard_normal((n,v.shape[1]))/np.sqrt(v.shape[1])).astype('f4'); b=rng.standard_normal(n).astype('f4')
        return s.add('Gemm',[x,s.c(w),s.c(b,f'b{s.k}')],v@w.T.astype('f8')+b,transB=1)
    def reshape(s,x,shape):
        """As torch exports x.view(x.shape[0], …)."""
        v=s.vals[x]; sh=s.add('Shape',[x],None); b=s.add('Gather',[sh,s.c(np.int64(0),f'i{s.k}')],None,axis=0)
        u=s.add('Unsqueeze',[b,s.c(np.array([0]),f'a{s.k}')],None); c=s.add('Concat',[u,s.c(np.array(shape),f's{s.k}')],None,axis=0)
        return s.add('Reshape',[x,c],v.reshape((len(v),)+tuple(shape)))
    def transpose(s,x,p): return s.add('Transpose',[x],s.vals[x].transpose(p),perm=p)
    def softmax(s,x): v=s.vals[x]; e=np.exp(v-v.max(-1,keepdims=True)); return s.add('Softmax',[x],e/e.sum(-1,keepdims=True),axis=-1)
    def save(s,y):
        g=h.make_graph(s.nodes,s.name,[h.make_tensor_value_info('x',T.FLOAT,['N']+list(s.shape))],[h.make_tensor_value_info(y,T.FLOAT,None)],s.inits)
        m=h.make_model(g,opset_imports=[h.make_opsetid('',13)]); d=f'{out}/test_{s.name}'; os.makedirs(d+'/test_data_set_0',exist_ok=True); onnx.save(m,d+'/model.onnx')
        for n,a in(('input',s.x),('output',s.vals[y].astype('f4'))): open(f'{d}/test_data_set_0/{n}_0.pb','wb').write(nh.from_array(a).SerializeToString())
n=Net('lenet',(1,28,28)); a=n.pool(n.relu(n.conv('x',6,5,pad=2)),'MaxPool',2,2); a=n.pool(n.relu(n.conv(a,16,5)),'MaxPool',2,2); a=n.relu(n.fc(n.flat(a),120)); a=n.relu(n.fc(a,84)); n.save(n.softmax(n.fc(a,10)))
n=Net('resnet',(20,9,9)); r=n.relu(n.bn(n.conv('x',20,3,pad=1,bias=False))); r=n.bn(n.conv(r,20,3,pad=1,bias=False)); a=n.relu(n.plus(r,'x')); b=n.bn(n.conv(n.relu(n.bn(n.conv(a,40,3,2,1,bias=False))),40,3,pad=1,bias=False)); sc=n.bn(n.conv(a,40,1,2,bias=False)); a=n.relu(n.plus(b,sc)); c=n.bn(n.conv(a,40,3,pad=1)); a=n.relu(n.plus(c,a)); n.save(n.fc(n.flat(n.gap(a)),5))
n=Net('mobilenet',(3,17,17)); a=n.relu6(n.bn(n.conv('x',24,3,2,1,bias=False))); b=n.relu6(n.bn(n.conv(a,72,1))); b=n.relu6(n.bn(n.conv(b,72,3,1,1,group=72))); b=n.bn(n.conv(b,24,1)); a=n.plus(a,b); n.save(n.fc(n.flat(n.gap(a)),7))
n=Net('densenet',(12,8,8)); a='x'
for i in range(3): a=n.cat(a,n.conv(n.relu(n.bn(n.conv(n.relu(n.bn(a)),20,1,bias=False))),7,3,pad=1,bias=False))
a=n.pool(n.conv(n.relu(n.bn(a)),10,1),'AveragePool',2,2); n.save(n.fc(n.flat(a),4))
n=Net('inception',(19,10,10)); a=n.cat(n.relu(n.conv('x',5,1)),n.relu(n.conv(n.relu(n.conv('x',9,1)),13,3,pad=1)),n.relu(n.conv(n.relu(n.conv('x',3,1)),8,5,pad=2)),n.relu(n.conv(n.pool('x','MaxPool',3,1,1),6,1))); n.save(n.fc(n.flat(n.pool(a,'AveragePool',3,2,1)),6))
n=Net('shufflenet',(24,6,6)); a=n.relu(n.bn(n.conv('x',24,1,group=3))); a=n.reshape(a,[3,8,6,6]); a=n.transpose(a,[0,2,1,3,4]); a=n.reshape(a,[24,6,6]); a=n.bn(n.conv(a,24,3,1,1,group=24)); a=n.bn(n.conv(a,24,1,group=3)); a=n.relu(n.plus(a,'x')); n.save(n.fc(n.flat(n.gap(a)),5))
n=Net('dilated',(5,12,12)); a=n.relu(n.conv('x',300,3,2,2,dil=2)); n.save(n.flat(n.conv(a,18,3,group=6)))
